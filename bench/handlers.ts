/**
 * Handlers of the bench, which its managers' workers load.
 */
import { setTimeout as sleep } from "node:timers/promises"
import { Schema } from "effect"
import * as Handler from "@muster/domain/Handler"

/**
 * When it began to run, in nanoseconds of the clock that all processes of a machine share. As text, because a number that
 * large is not exact.
 */
export const startedAt = Handler.make({
  name: "bench-started-at",
  input: Schema.Int,
  output: Schema.String,
  run: () => String(process.hrtime.bigint())
})

/** Longer than a manager takes to give the next task to a worker that waits, so that each worker gets one. */
const spread = 500

let held = new ArrayBuffer(0)

/** Has its worker hold so many bytes from now on, all of them written to. Answers with the worker's process id. */
export const hold = Handler.make({
  name: "bench-hold",
  input: Schema.Struct({ bytes: Schema.Int }),
  output: Schema.Int,
  run: async ({ bytes }) => {
    // Gives back what was held at once, not when the collector comes by.
    held.transfer(0)
    held = new ArrayBuffer(bytes)
    new Uint8Array(held).fill(1)
    await sleep(spread)
    return process.pid
  }
})
