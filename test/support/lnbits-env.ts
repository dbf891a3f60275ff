/** What the Lightning tests read from the environment: a real LNbits. */
export interface LightningTestSettings {
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
    ...(env.TEST_LNBITS_HOME ? { lnbitsHome: env.TEST_LNBITS_HOME } : {}),
    ...(real.url === '' ? {} : { real }),
  }
}
