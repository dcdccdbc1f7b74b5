/**
 * A module of handlers as a user would write it, with everything that handlers do wrong.
 */
import { Effect, Schema } from "effect"
import * as Handler from "@muster/domain/Handler"

class TooBig extends Schema.TaggedError<TooBig>()("TooBig", { limit: Schema.Int }) {}

export const double = Handler.make({
  name: "double",
  input: Schema.Struct({ n: Schema.Int.check(Schema.isLessThan(1_000)) }),
  output: Schema.Int,
  failure: TooBig,
  concurrency: 2,
  run: ({ n }) => (n > 100 ? Effect.fail(new TooBig({ limit: 100 })) : Effect.succeed(n * 2))
})

/** Values that are not JSON by themselves. */
export const nextDay = Handler.make({
  name: "next-day",
  input: Schema.Date,
  output: Schema.Date,
  run: async (date) => new Date(date.getTime() + 86_400_000)
})

/** Runs until its signal is aborted, and says so. */
export const patient = Handler.make({
  name: "patient",
  input: Schema.Json,
  output: Schema.Json,
  concurrency: 4,
  run: (_, { signal }) =>
    new Promise((resolve) => {
      if (signal.aborted) resolve("aborted at once")
      signal.addEventListener("abort", () => resolve("aborted"))
    })
})

/** Ends when it has been interrupted. */
export const endless = Handler.make({
  name: "endless",
  input: Schema.Json,
  output: Schema.Json,
  concurrency: 4,
  run: () => Effect.never
})

export const stubborn = Handler.make({
  name: "stubborn",
  input: Schema.Json,
  output: Schema.Json,
  concurrency: 2,
  run: () => Effect.uninterruptible(Effect.never)
})

/** As `stubborn`, in a promise. */
export const deaf = Handler.make({
  name: "deaf",
  input: Schema.Json,
  output: Schema.Json,
  run: () => new Promise<never>(() => undefined)
})

export const pause = Handler.make({
  name: "pause",
  input: Schema.Struct({ millis: Schema.Int }),
  output: Schema.Int,
  concurrency: 4,
  run: ({ millis }) => Effect.as(Effect.sleep(millis), millis)
})

const throws = Handler.make({
  name: "throws",
  input: Schema.Json,
  output: Schema.Json,
  run: () => {
    throw new TypeError("on purpose\nwith a second line")
  }
})

const rejects = Handler.make({
  name: "rejects",
  input: Schema.Json,
  output: Schema.Json,
  run: () => Promise.reject(new RangeError("later"))
})

const lies = Handler.make({
  name: "lies",
  input: Schema.Json,
  output: Schema.Struct({ n: Schema.Int }),
  run: () => ({ n: 1.5 })
})

const answers = Handler.make({
  name: "answers",
  input: Schema.Struct({ kind: Schema.Literals(["nul", "huge", "deep", "nothing"]) }),
  output: Schema.Json,
  run: ({ kind }) => {
    if (kind === "nul") return { text: "a\0b" }
    if (kind === "huge") return "x".repeat(2_000_000)
    if (kind === "nothing") return null
    let value: Schema.Json = 1
    for (let depth = 0; depth < 1_000; depth++) value = [value]
    return value
  }
})

const exits = Handler.make({
  name: "exits",
  input: Schema.Json,
  output: Schema.Json,
  run: () => process.exit(9)
})

const blocks = Handler.make({
  name: "blocks",
  input: Schema.Json,
  output: Schema.Json,
  run: () => {
    for (;;) Math.random()
  }
})

export const bad = [throws, rejects, lies, answers, exits, blocks]
export const whatever = 3
