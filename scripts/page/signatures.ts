/** What the status page verifies signatures with; `npm run page` bundles it into src/operator/page/. */
export { schnorr } from '@noble/curves/secp256k1.js'
export { sha256 } from '@noble/hashes/sha2.js'
