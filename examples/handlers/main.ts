/**
 * Calls the handlers of `tasks.ts` and prints what comes back: typed outputs, typed failures, and what broke.
 *
 *     npx muster dev --handlers examples/handlers/tasks.ts
 *     npx node examples/handlers/main.ts
 */
import { NodeRuntime } from "@effect/platform-node"
import { Console, Effect, Layer, Stream } from "effect"
import { MusterClient } from "@muster/client/MusterClient"
import * as Profile from "@muster/client/Profile"
import { countWords, wholeRoot } from "./tasks.ts"

const numbers = [49, 50, -1, 144]

const program = Effect.gen(function* () {
  const muster = yield* MusterClient

  // Like calling a function, but it runs in a worker. The output's type is the handler's.
  const { words } = yield* muster.runHandler(countWords, { text: "the quick brown fox" })
  yield* Console.log(`words: ${words}`)

  // Many at once, in a suite of their own.
  const suite = yield* muster.createSuite({ name: "roots", labels: ["example"] })
  yield* muster.submitInputs(suite.id, wholeRoot, numbers, { settings: { timeout: "10s" } })
  yield* muster.closeSuite(suite.id)
  yield* Stream.runForEach(muster.handlerResults(suite.id, wholeRoot), (result) => {
    switch (result._tag) {
      case "Succeeded":
        return Console.log(`root of ${numbers[result.index]}: ${result.output}`)
      case "Failed":
        return Console.log(`root of ${result.failure.number}: none, ${result.failure.reason}`)
      case "Broke":
        return Console.error(result.error.message)
    }
  })
})

// Finds `muster dev` by the profile in the data directory, or uses MUSTER_URL and MUSTER_TOKEN.
const client = Layer.unwrap(Effect.map(Profile.resolve(process.env), MusterClient.layer))

NodeRuntime.runMain(Effect.provide(program, client))
