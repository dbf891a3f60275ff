import type { Clock } from '../clock.ts'
import type { Backend } from './backend.ts'
import { createChat } from './chat.ts'
import { createCommand } from './command.ts'
import { createEcho } from './echo.ts'

export interface BackendChoice {
  kind: 'chat' | 'command' | 'echo'
  chat: { baseUrl: string; apiKey: { reveal(): string } | undefined } | undefined
  command: string[] | undefined
  timeoutMs: number
}

/** The backend the settings name. */
export function buildBackend(
  { kind, chat, command, timeoutMs }: BackendChoice,
  { clock, countTokens }: { clock: Clock; countTokens: (text: string) => number },
): Backend {
  if (kind === 'chat' && chat) {
    const apiKey = chat.apiKey?.reveal()
    const key = apiKey === undefined ? {} : { apiKey }
    return createChat({ baseUrl: chat.baseUrl, timeoutMs, countTokens, ...key })
  }
  if (kind === 'command' && command) return createCommand({ argv: command, timeoutMs })
  return createEcho({ clock, countTokens })
}
