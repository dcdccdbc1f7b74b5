/**
 * The bench's end: a peer as a child process that is asked to do things.
 */
import { spawn, spawnSync } from "node:child_process"
import type { ChildProcess } from "node:child_process"
import { fileURLToPath } from "node:url"
import { Effect } from "effect"
import type { Scope } from "effect"
import { NotInstalled } from "../NotInstalled.ts"
import { median } from "../Quantile.ts"
import * as Install from "./Install.ts"
import type { Operation, Request, Response } from "./Protocol.ts"
import * as Redis from "./Redis.ts"

export type Name = "graphile" | "pgboss" | "bullmq" | "dbos"

export interface Peer {
  /** Milliseconds, as `Operation` says. */
  readonly ask: (operation: Operation, count: number) => Effect.Effect<ReadonlyArray<number>>
  /** Jobs per second of an operation that gives one time. */
  readonly rate: (operation: Operation, count: number) => Effect.Effect<number>
  readonly reset: Effect.Effect<void>
}

/** Whether a program is in the PATH. */
export const hasProgram = (name: string): boolean =>
  spawnSync(name, ["--version"], { stdio: "ignore" }).error === undefined

const request = (child: ChildProcess, name: Name, message: Request) =>
  Effect.callback<ReadonlyArray<number>>((resume) => {
    const settle = (effect: Effect.Effect<ReadonlyArray<number>>) => {
      child.off("message", answered).off("exit", exited)
      resume(effect)
    }
    const answered = ({ error, millis }: Response) =>
      settle(error === undefined ? Effect.succeed(millis ?? []) : Effect.die(new Error(`${name}: ${error}`)))
    const exited = () => settle(Effect.die(new Error(`${name} ended`)))
    child.once("message", answered).once("exit", exited)
    child.send(message)
  })

export const start = Effect.fnUntraced(function* (
  name: Name,
  databaseUrl: string
): Effect.fn.Return<Peer, NotInstalled, Scope.Scope> {
  if (!(yield* Install.ensure)) return yield* new NotInstalled({ what: `${name} (npm could not install it)` })
  if (name === "bullmq" && !hasProgram("redis-server")) return yield* new NotInstalled({ what: "redis-server" })
  const redisPort = name === "bullmq" ? yield* Redis.start : 0
  const child = yield* Effect.acquireRelease(
    Effect.sync(() =>
      spawn(process.execPath, [fileURLToPath(new URL(`${name}.ts`, import.meta.url))], {
        env: { ...process.env, PEER_DATABASE_URL: databaseUrl, PEER_REDIS_PORT: String(redisPort) },
        // Standard output is for figures.
        stdio: ["ignore", 2, 2, "ipc"]
      })
    ),
    (running) => Effect.sync(() => running.kill("SIGKILL"))
  )
  const ask = (operation: Operation, count: number) => request(child, name, { operation, count })
  return {
    ask,
    rate: (operation, count) => Effect.map(ask(operation, count), (millis) => (count * 1_000) / median(millis)),
    reset: Effect.asVoid(ask("reset", 0))
  }
})
