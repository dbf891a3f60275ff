/** With TEST_SWEEP set, deaths of the process are tried for every way a payment can go. */
export const sweepsWithdrawals = process.env.TEST_SWEEP !== undefined
