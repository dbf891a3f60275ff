import {
  type ModelRate,
  type PricedModel,
  parseModelRate,
  TOKENS_MAX,
} from '../money/model-rate.ts'
import { actualCost, estimateRequestCost as price } from '../money/pricing.ts'
import type { Job } from '../store/jobs.ts'

/** Where the price of a bitcoin comes from: USD per BTC at this moment, or why there is none. */
export interface BtcRateSource {
  current(): Promise<{ usdPerBtc: number } | { none: string }>
}

export interface Quoted {
  model: string
  estimatedSats: number
  inputTokens: number
  outputTokens: number
  /** The rate used; null for a flat price, which needs none. */
  usdPerBtc: number | null
}

export type PriceAnswer =
  | Quoted
  | { refused: 'unknown_model' | 'no_rate' | 'amount_out_of_range' | 'malformed'; limit?: number }

/** What requests may cost and what work did cost, in sats. */
export interface PricingService {
  models: readonly ModelRate[]
  /**
   * The most a request can cost. Refuses an unknown model or a missing rate; never guesses. A customer may lower
   * the model's output cap, and with it the price; a wish above it changes nothing.
   */
  estimateRequestCost(
    request: string,
    model: string | undefined,
    maxOutputTokens?: number,
  ): Promise<PriceAnswer>
  /** What finished work cost at the rate stored in its job. Missing usage settles at the estimate. */
  actual(
    job: Pick<Job, 'model' | 'estimatedSats' | 'usdPerBtc' | 'inputTokens' | 'outputTokens'>,
    usage: { input: number; output: number } | null,
  ): { actualSats: number; usage: { input: number; output: number } }
}

export interface PricesOptions {
  models: readonly ModelRate[]
  marginPct: number
  rate: BtcRateSource
  countTokens(text: string): number
}

/** The first of `models` is the default one. Throws on a model whose rates cannot be read: a setting is wrong. */
export function createPrices({
  models,
  marginPct,
  rate,
  countTokens,
}: PricesOptions): PricingService {
  const priced = new Map(models.map((model) => [model.name, readModel(model)]))

  return {
    models,
    async estimateRequestCost(request, name, maxOutputTokens) {
      const known = name === undefined ? priced.values().next().value : priced.get(name)
      if (!known) return { refused: 'unknown_model' }
      const model = capped(known, maxOutputTokens)
      const usdPerBtc = await rateFor(model)
      const estimate = price({ inputTokens: countTokens(request), model, usdPerBtc, marginPct })
      if ('refused' in estimate) return estimate
      return { ...estimate, model: model.name, usdPerBtc }
    },
    actual(job, usage) {
      const used = usage ?? { input: job.inputTokens, output: job.outputTokens }
      const model = priced.get(job.model)
      // A model that was taken out of the settings since then settles at its quote.
      if (!model) return { actualSats: job.estimatedSats, usage: used }
      const { trueSats } = actualCost({
        usage: usage && { inputTokens: usage.input, outputTokens: usage.output },
        model,
        usdPerBtc: job.usdPerBtc,
        marginPct,
        quoteSats: job.estimatedSats,
      })
      return { actualSats: trueSats, usage: used }
    },
  }

  async function rateFor(model: PricedModel): Promise<number | null> {
    if ('satsPerRequest' in model) return null
    const answer = await rate.current()
    return 'none' in answer ? null : answer.usdPerBtc
  }
}

function capped(model: PricedModel, wished: number | undefined): PricedModel {
  const most = model.maxOutputTokens ?? TOKENS_MAX
  return wished === undefined || wished >= most ? model : { ...model, maxOutputTokens: wished }
}

function readModel(rate: ModelRate): PricedModel {
  const model = parseModelRate(rate)
  if ('problem' in model) throw new Error(`MODELS: ${rate.name}: ${model.problem}`)
  return model
}
