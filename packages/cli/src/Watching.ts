/** Showing something again and again, for `--watch`. */
import { Effect } from "effect"
import * as Screen from "./Screen.ts"

const interval = "1 second"
const clear = "\u001B[H\u001B[2J\u001B[3J"

/** Runs `show` once, or with `isWatching` each second; a terminal is cleared before each time. */
export const show = <E, R>(isWatching: boolean, once: Effect.Effect<void, E, R>): Effect.Effect<void, E, R> =>
  isWatching
    ? Effect.gen(function* () {
        const { out } = yield* Screen.Screen
        while (true) {
          if (out.isTerminal) yield* out.write(clear)
          yield* once
          yield* Effect.sleep(interval)
        }
      })
    : once
