/** The other end of what `Child` promises: a process whose parent is gone goes too. */
import { Effect } from "effect"
import type { Scope } from "effect"
import { parentVariable } from "./Child.ts"

/** Sends this process TERM, as its parent would have, when its standard input ends; if it was told that this means so. */
export const follow: Effect.Effect<void, never, Scope.Scope> = Effect.acquireRelease(
  Effect.sync(() => {
    if (process.env[parentVariable] === undefined) return
    delete process.env[parentVariable]
    process.stdin.once("end", () => process.kill(process.pid, "SIGTERM"))
    process.stdin.once("error", () => process.kill(process.pid, "SIGTERM"))
    process.stdin.resume()
  }),
  () => Effect.sync(() => void process.stdin.pause())
)
