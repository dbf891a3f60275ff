import { ORDER } from './curve-bytes.ts'
import type { Curve } from './types.ts'

export interface CurveTrial {
  name: Curve['name']
  ok: boolean
  /** Why the stack is not used; absent when it passed. */
  reason?: string
}

export interface CurveLoader {
  name: Curve['name']
  load(): Promise<Curve>
}

const native: CurveLoader = {
  name: 'native',
  load: async () => (await import('./curve-native.ts')).loadNativeCurve(),
}

const wasm: CurveLoader = {
  name: 'wasm',
  load: async () => (await import('./curve-wasm.ts')).loadWasmCurve(),
}

/**
 * The curve this process uses: the system's libsecp256k1 where it loads and passes the self-test,
 * else WebAssembly. `prefer` moves that stack to the front; the other stays as the way out. A missing
 * native library is not an error, `tried` tells it. Throws when no stack is left.
 */
export async function loadCurve({ prefer = 'native' }: { prefer?: Curve['name'] } = {}): Promise<{
  curve: Curve
  tried: CurveTrial[]
}> {
  return chooseCurve(prefer === 'wasm' ? [wasm, native] : [native, wasm])
}

/** The first stack that loads and passes the self-test. Throws an Error with every reason otherwise. */
export async function chooseCurve(
  loaders: CurveLoader[],
): Promise<{ curve: Curve; tried: CurveTrial[] }> {
  const tried: CurveTrial[] = []
  for (const { name, load } of loaders) {
    let reason: string | undefined
    try {
      const curve = await load()
      reason = curveFault(curve)
      if (reason === undefined) {
        tried.push({ name, ok: true })
        return { curve, tried }
      }
    } catch (error) {
      reason = error instanceof Error ? error.message : String(error)
    }
    tried.push({ name, ok: false, reason })
  }
  throw new Error(`no usable curve: ${tried.map((t) => `${t.name}: ${t.reason}`).join('; ')}`)
}

const bytes = (hex: string): Uint8Array => Buffer.from(hex, 'hex')
const ZERO_32 = '00'.repeat(32)

/** Row 1 of the official BIP-340 vectors. */
const SIGNED = {
  secret: 'b7e151628aed2a6abf7158809cf4f3c762e7160f38b4da56a784d9045190cfef',
  publicKey: 'dff1d77f2a671c5f36183726db2341be58feae1da2deced843240f7b502ba659',
  auxRand: `${'00'.repeat(31)}01`,
  message: '243f6a8885a308d313198a2e03707344a4093822299f31d0082efa98ec4e6c89',
  signature:
    '6896bd60eeae296db48a229ff71dfe071bde413e6d43f917dc8dcf8c78de3341' +
    '8906d11ac976abccb20b091292bff4ea897efcb639ea871cfa95f6de339e4b0a',
}

/** Row 5: not the x of any point. */
const OFF_CURVE = 'eefdea4cdb677750a420fee807eacf21eb9898ae79b9768766e4faa04a2d4a34'

/** 2·3·G taken from either side, and the x of 6·G. */
const SHARED = {
  two: 'c6047f9441ed7d6d3045406e95c07cd85c778e4b8cef3ca7abac09b95c709ee5',
  three: 'f9308a019258c31049344f85f89d5229b531c845836f99b08601f113bce036f9',
  six: 'fff97bd5755eeea420453a14355235d382f6472f8568a18b2f057a1460297556',
}

/**
 * The start-up self-test: fixed BIP-340 and ECDH values, and inputs that must be refused. A library
 * of another version or calling convention answers wrong rather than not at all, and a wrong answer
 * here would be an impersonation or an unreadable invoice. Returns what is wrong, or `undefined`.
 */
export function curveFault(curve: Curve): string | undefined {
  const is = (value: Uint8Array, hex: string) => Buffer.from(value).toString('hex') === hex
  const refuses = (call: () => unknown): boolean => {
    try {
      call()
      return false
    } catch {
      return true
    }
  }
  const pair = curve.keypair(bytes(SIGNED.secret))
  const message = bytes(SIGNED.message)
  const signature = bytes(SIGNED.signature)
  if (!is(pair.publicKey, SIGNED.publicKey)) return 'wrong public key'
  if (!is(pair.sign(message, bytes(SIGNED.auxRand)), SIGNED.signature)) return 'wrong signature'
  if (!curve.verify(pair.sign(message), message, pair.publicKey)) return 'own signature is refused'
  if (!curve.verify(signature, message, pair.publicKey)) return 'good signature is refused'
  for (const at of [0, 31, 32, 63]) {
    const forged = Uint8Array.from(signature)
    forged[at] = (forged[at] ?? 0) ^ 1
    if (curve.verify(forged, message, pair.publicKey)) return 'forged signature is accepted'
  }
  if (curve.verify(signature, bytes(ZERO_32), pair.publicKey)) return 'other message is accepted'
  if (curve.verify(signature, message, bytes(OFF_CURVE))) return 'key off the curve is accepted'
  if (curve.verify(signature.subarray(0, 63), message, pair.publicKey)) return 'short signature'
  const [two, three] = [2, 3].map((n) => curve.keypair(bytes(ZERO_32).fill(n, 31)))
  if (!two || !is(two.ecdhX(bytes(SHARED.three)), SHARED.six)) return 'wrong shared point'
  if (!three || !is(three.ecdhX(bytes(SHARED.two)), SHARED.six)) return 'wrong shared point'
  if (!refuses(() => two.ecdhX(bytes(OFF_CURVE)))) return 'key off the curve is agreed with'
  if (!refuses(() => curve.keypair(bytes(ZERO_32)))) return 'zero is taken as a secret'
  if (!refuses(() => curve.keypair(bytes(ORDER)))) return 'the order is taken as a secret'
  return undefined
}
