/** Encrypted paid calls a second, or null where the SDK could not be installed. */
export async function benchContextvm(_options: {
  clients: number
  seconds: number
}): Promise<number | null> {
  return null
}
