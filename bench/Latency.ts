/**
 * How long a single task waits on an idle system: from the moment that the client begins to send it until its handler
 * begins, by the one clock that all processes of a machine share.
 */
import { Effect, Schema, Stream } from "effect"
import type { SuiteId } from "@muster/domain/Suite/Id"
import * as Wait from "../test/e2e/support/Wait.ts"
import { startedAt } from "./handlers.ts"
import type { Client } from "./Work.ts"

/** Until it has run and is recorded, so that nobody asks anything while it is on its way. */
const pause = "15 millis"

const decodeOutput = Schema.decodeUnknownSync(Schema.String)

/** Milliseconds for each of so many tasks, added to a suite in which nothing else is pending. */
export const take = Effect.fnUntraced(function* (client: Client, suiteId: SuiteId, count: number) {
  const sent = new Map<number, bigint>()
  for (let place = 0; place < count; place++) {
    const began = process.hrtime.bigint()
    const { ranges } = yield* client.submit(suiteId, [{ handler: startedAt.name, input: place }])
    sent.set(ranges[0]?.firstIndex ?? -1, began)
    yield* Effect.sleep(pause)
    yield* Wait.until("the task is done", client.getSuite(suiteId), ({ tasks }) => tasks.pending === 0)
  }
  const found: Array<number> = []
  yield* Stream.runForEach(client.results(suiteId, { follow: false }), ({ index, output }) =>
    Effect.sync(() => {
      const began = sent.get(index)
      if (began !== undefined) found.push(Number(BigInt(decodeOutput(output)) - began) / 1e6)
    })
  )
  return found
})
