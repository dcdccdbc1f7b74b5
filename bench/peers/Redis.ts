/**
 * A Redis server of the bench's own, with an append-only file.
 */
import { spawn } from "node:child_process"
import { connect } from "node:net"
import { Deferred, Effect } from "effect"
import type { Scope } from "effect"
import * as Process from "../../test/e2e/support/Process.ts"
import { freePort } from "../../test/e2e/support/System.ts"
import * as Wait from "../../test/e2e/support/Wait.ts"

const accepts = (port: number) =>
  Effect.callback<boolean>((resume) => {
    const socket = connect(port, "127.0.0.1")
    const found = (isThere: boolean) => () => {
      socket.destroy()
      resume(Effect.succeed(isThere))
    }
    socket.once("connect", found(true)).once("error", found(false))
  })

/** Its port. */
export const start: Effect.Effect<number, never, Scope.Scope> = Effect.gen(function* () {
  const port = yield* freePort
  const directory = yield* Process.directory("redis")
  const gone = yield* Deferred.make<void>()
  yield* Effect.acquireRelease(
    Effect.sync(() => {
      const args = ["--port", String(port), "--bind", "127.0.0.1", "--dir", directory, "--appendonly", "yes"]
      const child = spawn("redis-server", args, { stdio: "ignore" })
      child.once("exit", () => Deferred.doneUnsafe(gone, Effect.void))
      return child
    }),
    (child) =>
      Effect.andThen(
        Effect.sync(() => child.kill("SIGKILL")),
        Deferred.await(gone)
      )
  )
  yield* Wait.until("Redis answers", accepts(port), (isThere) => isThere)
  return port
})
