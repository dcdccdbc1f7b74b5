/**
 * Handlers for tests: such that behave, and such that do not.
 */
import { Schema } from "effect"
import * as Handler from "@muster/domain/Handler"

/** Ends after so many milliseconds. */
export const sleep = Handler.make({
  name: "sleep",
  input: Schema.Int,
  output: Schema.Null,
  run: (millis) => new Promise<null>((resolve) => setTimeout(() => resolve(null), millis))
})

/** Ends its process. */
export const exit = Handler.make({
  name: "exit",
  input: Schema.Int,
  output: Schema.Null,
  run: (code) => process.exit(code)
})

/** Never gives its thread back. */
export const block = Handler.make({
  name: "block",
  input: Schema.Null,
  output: Schema.Null,
  run: () => {
    for (let turns = 0; ; turns++) if (turns < 0) return null
  }
})

/** Ends for nobody. */
export const deaf = Handler.make({
  name: "deaf",
  input: Schema.Null,
  output: Schema.Null,
  run: () => new Promise<null>(() => undefined)
})
