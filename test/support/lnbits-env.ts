/**
 * What the Lightning tests read from the environment: sweeps that are too long for every run, and a
 * real LNbits.
 */
export interface LightningTestSettings {
  /** Mutated invoices per run; a million of them take minutes. */
  bolt11Mutations: number
  seed: number
  /** Virtual environment of an installed LNbits that tests may start themselves. */
  lnbitsHome?: string
  real?: {
    url: string
    invoiceKey: string
    adminKey: string
    payerInvoiceKey: string
    payerAdminKey: string
  }
}

export function lightningTestSettings(): LightningTestSettings {
  const { env } = process
  const real = {
    url: env.TEST_LNBITS_URL ?? '',
    invoiceKey: env.TEST_LNBITS_INVOICE_KEY ?? '',
    adminKey: env.TEST_LNBITS_ADMIN_KEY ?? '',
    payerInvoiceKey: env.TEST_LNBITS_PAYER_INVOICE_KEY ?? '',
    payerAdminKey: env.TEST_LNBITS_PAYER_ADMIN_KEY ?? '',
  }
  return {
    bolt11Mutations: Number(env.TEST_BOLT11_MUTATIONS ?? 20_000),
    seed: Number(env.TEST_SEED ?? Math.floor(Math.random() * 2 ** 32)),
    ...(env.TEST_LNBITS_HOME ? { lnbitsHome: env.TEST_LNBITS_HOME } : {}),
    ...(real.url === '' ? {} : { real }),
  }
}
