import { loadCurve } from '../../src/nostr/curve.ts'
import type { Curve } from '../../src/nostr/types.ts'

/**
 * The curve stacks of this machine, WebAssembly first because it is on every machine. Native is there
 * when the system has libsecp256k1; that is a property of the machine, so titles name the stack.
 */
export async function machineCurves(): Promise<Curve[]> {
  const wasm = await loadCurve({ prefer: 'wasm' })
  const best = await loadCurve()
  return best.curve.name === 'wasm' ? [wasm.curve] : [wasm.curve, best.curve]
}
