/**
 * Ctrl-C. By itself the first one ends the command in order and the second one at once. A command that has something to
 * settle first (a suite that runs for it) listens itself.
 */
import { Effect } from "effect"
import type { Scope } from "effect"

type Listener = (signal: NodeJS.Signals) => void

const listeners: Array<Listener> = []

/** Calls `listener` instead of interrupting the command, until the scope closes. */
export const listen = (listener: Listener): Effect.Effect<void, never, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.sync(() => void listeners.push(listener)),
    () => Effect.sync(() => void listeners.splice(listeners.indexOf(listener), 1))
  )

/** Passes a signal to whoever listens; answers whether somebody does. */
export const deliver = (signal: NodeJS.Signals): boolean => {
  const listener = listeners.at(-1)
  listener?.(signal)
  return listener !== undefined
}
