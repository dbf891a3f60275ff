/**
 * The rules of the money once more, as simply as they can be said, for granted tiers: what the real books must
 * look like after each command. Nothing of the program is used here.
 */
export function createLedgerModel({ seedSats, budgetSats, outflowPct, creditPct }: ModelRules) {
  const accounts = new Map<string, number>([
    ['pool', seedSats],
    ['operator', -seedSats],
    ['lightning', 0],
  ])
  const jobs: ModelJob[] = []
  const used = new Map<string, number>()
  const openings = new Map<number, number>([[0, seedSats]])
  let today = 0

  const of = (account: string) => accounts.get(account) ?? 0
  const move = (from: string, to: string, sats: number) => {
    accounts.set(from, of(from) - sats)
    accounts.set(to, of(to) + sats)
  }
  const spent = (who: string, day = today) => used.get(`${who} ${day}`) ?? 0
  const spend = (who: string, sats: number, day = today) =>
    used.set(`${who} ${day}`, spent(who, day) + sats)
  const open = (job: ModelJob) => job.state === 'accepted' || job.state === 'awaiting_payment'
  const sum = (some: ModelJob[], pick: (job: ModelJob) => number) =>
    some.reduce((total, job) => total + pick(job), 0)
  /** Money came: Lightning holds it, less what LNbits kept. */
  const arrive = (to: string, sats: number, feeSats: number) => {
    begin()
    move('world', to, sats)
    move('operator', 'world', feeSats)
    accounts.set('lightning', of('lightning') + sats - feeSats)
  }
  /** The breaker measures by what the pool had before the day's first movement. */
  const begin = () => openings.has(today) || openings.set(today, of('pool'))

  const unkept = (job: ModelJob) => Math.max(0, job.promised - job.reserved)
  const outflow = () => Math.floor(((openings.get(today) ?? of('pool')) * outflowPct) / 100)
  function room(who: string, own: ModelJob | undefined): number {
    const mine = jobs.filter((job) => job.who === who && job !== own)
    const promises = sum(mine.filter(open), (job) => job.promised)
    const shortfalls =
      sum(
        mine.filter((job) => job.state === 'working'),
        unkept,
      ) + spent(`${who}!`)
    const budget = budgetSats - spent(who) - promises - shortfalls
    return Math.max(0, Math.min(budget, of('pool'), outflow() - spent('pool')))
  }

  function reserve(job: ModelJob, sats: number): void {
    job.reserved = sats
    job.day = today
    if (sats > 0) begin()
    move('pool', `job ${job.id}`, sats)
    spend(job.who, sats)
    spend('pool', sats)
  }

  function end(job: ModelJob, actual: number): void {
    begin()
    const hold = `job ${job.id}`
    const absorbed = Math.min(actual, job.reserved)
    const charge = Math.min(job.paid, actual - absorbed)
    const shortfall = actual - absorbed - charge
    const credit = Math.floor((charge * creditPct) / 100)
    move('operator', hold, shortfall)
    move(hold, 'operator', actual)
    move(hold, job.who, job.paid - charge)
    move(hold, 'pool', job.reserved - absorbed)
    move('operator', 'pool', credit)
    spend(job.who, absorbed - job.reserved, job.day)
    spend('pool', absorbed - job.reserved, job.day)
    spend(`${job.who}!`, Math.min(shortfall, unkept(job)))
    job.state = 'over'
  }

  return {
    jobs,
    accounts: () => new Map([...accounts].filter(([name]) => name !== 'world')),
    spentOf: (who: string) => spent(who),
    accept(id: number, who: string, estimate: number): ModelJob {
      const job: ModelJob = {
        ...{ id, who, estimate, promised: 0, reserved: 0, paid: 0 },
        day: today,
        state: 'working',
      }
      const free = Math.min(estimate, room(who, undefined))
      const charge = estimate - free
      const hasDiscount = jobs.some((one) => one.who === who && open(one) && one.promised > 0)
      if (charge === 0 || of(who) >= charge) {
        reserve(job, free)
        move(who, `job ${id}`, charge)
        job.paid = charge
      } else {
        const left = Math.min(of('pool'), outflow() - spent('pool'))
        const promised = sum(jobs.filter(open), (one) => one.promised)
        job.promised = hasDiscount ? 0 : Math.max(0, Math.min(free, estimate - 1, left - promised))
        job.state = 'accepted'
      }
      jobs.push(job)
      return job
    },
    invoice(job: ModelJob): void {
      job.state = 'awaiting_payment'
    },
    pay(job: ModelJob, feeSats: number): void {
      const charge = job.estimate - job.promised
      const works = job.state === 'awaiting_payment'
      arrive(works ? `job ${job.id}` : job.who, charge, feeSats)
      if (!works) return
      reserve(job, Math.min(job.promised, room(job.who, job)))
      job.paid = charge
      job.state = 'working'
    },
    finish: end,
    fail: (job: ModelJob) => end(job, 0),
    close(job: ModelJob): void {
      job.state = 'over'
    },
    topUp: arrive,
    donate: (sats: number, feeSats: number) => arrive('pool', sats, feeSats),
    passDay(): void {
      today += 1
    },
  }
}

export interface ModelRules {
  seedSats: number
  budgetSats: number
  outflowPct: number
  creditPct: number
}

export interface ModelJob {
  id: number
  who: string
  estimate: number
  promised: number
  reserved: number
  paid: number
  day: number
  state: 'accepted' | 'awaiting_payment' | 'working' | 'over'
}
