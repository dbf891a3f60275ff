import manifest from '../package.json' with { type: 'json' }

/** Of this program, as the pool status and `--version` say it. */
export const version = manifest.version
