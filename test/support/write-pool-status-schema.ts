import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { poolStatusJsonSchema } from '../../src/operator/pool-status.ts'

/** Part of `npm run schema`: writes the JSON Schema that docs/pool-status.md speaks of. */
const path = join(import.meta.dirname, '../../docs/pool-status.schema.json')
writeFileSync(path, `${JSON.stringify(poolStatusJsonSchema(), null, 2)}\n`)
