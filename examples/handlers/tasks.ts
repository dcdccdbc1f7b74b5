/**
 * Typed functions that run in Muster's workers. Each is defined once: workers load this module to run them, programs import
 * it to call them, and both agree on the types.
 *
 *     npx muster dev --handlers examples/handlers/tasks.ts
 */
import { Effect, Schema } from "effect"
import * as Handler from "@muster/domain/Handler"

/** Counts the words of a text. A plain function is enough. */
export const countWords = Handler.make({
  name: "count-words",
  input: Schema.Struct({ text: Schema.String }),
  output: Schema.Struct({ words: Schema.Int }),
  run: ({ text }) => ({ words: text.split(/\s+/).filter((word) => word !== "").length })
})

/** Why a number has no square root here. */
export const NoRoot = Schema.Struct({ reason: Schema.Literals(["negative", "not exact"]), number: Schema.Int })

/** A square root, if it is a whole number. Says in its type how it can fail, which is not the same as breaking. */
export const wholeRoot = Handler.make({
  name: "whole-root",
  input: Schema.Int,
  output: Schema.Int,
  failure: NoRoot,
  run: (number) => {
    if (number < 0) return Effect.fail({ reason: "negative" as const, number })
    const root = Math.round(Math.sqrt(number))
    return root * root === number ? Effect.succeed(root) : Effect.fail({ reason: "not exact" as const, number })
  }
})
