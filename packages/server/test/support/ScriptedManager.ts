/**
 * A manager as its actor knows it: a process that connects, beats, listens to what it is told, and can fall silent or go.
 */
import { Cause, Effect, Exit, Fiber, Option, Scope, Stream } from "effect"
import { SqlClient } from "effect/sql/SqlClient"
import { ManagerEntity } from "@muster/domain/Entities/ManagerEntity"
import type { Directive } from "@muster/domain/Manager/Directive"
import { stream as managerStream } from "@muster/domain/Manager/Id"
import type { ManagerId } from "@muster/domain/Manager/Id"
import type { ManagerSpec } from "@muster/domain/Manager/Spec"
import type { SuiteId } from "@muster/domain/Suite/Id"
import { eventually } from "./Eventually.ts"

const beatEvery = 200

export const spec = (tags: ReadonlyArray<string> = []): ManagerSpec => ({
  name: "scripted",
  tags,
  labels: [],
  workers: 4,
  version: "0.1.0",
  host: { hostname: "here", platform: "linux", cpus: 4, memory: 2 ** 33 }
})

/** Opens a connection; it closes with `disconnect` or with the scope. */
export const connect = Effect.fnUntraced(function* (
  managerId: ManagerId,
  options: {
    readonly instance?: string
    readonly tags?: ReadonlyArray<string>
    readonly gone?: ReadonlyArray<string>
  } = {}
) {
  const manager = (yield* ManagerEntity.client)(managerId)
  const told: Array<Directive> = []
  const scope = yield* Scope.fork(yield* Effect.scope)
  const { gone = [], instance = "instance", tags } = options
  const stream = yield* manager.Connect({ instance, spec: spec(tags), gone }).pipe(
    Stream.runForEach((directive) => Effect.sync(() => told.push(directive))),
    Effect.forkIn(scope, { startImmediately: true })
  )
  /** Waits until it was told something, the first time or once more after `after` directives. */
  const until = <Tag extends Directive["_tag"]>(tag: Tag, after = 0) =>
    Effect.map(
      eventually(
        Effect.suspend(() => {
          // A stream that failed will tell nothing any more.
          const exit = stream.pollUnsafe()
          if (exit !== undefined && Exit.isFailure(exit)) return Effect.die(Cause.squash(exit.cause))
          return Effect.succeed(told.slice(after).find((directive) => directive._tag === tag))
        }),
        (found) => found !== undefined
      ),
      (found) => found as Extract<Directive, { readonly _tag: Tag }> // found by this tag
    )
  const end = Effect.map(Fiber.await(stream), (exit) =>
    Exit.isSuccess(exit) ? undefined : Option.getOrUndefined(Cause.findErrorOption(exit.cause))
  )
  const { epoch } = yield* until("Welcome")
  const beat = manager.Heartbeat({ epoch, activity: "idle", running: 0, buffered: 0 })
  const beating = yield* Effect.ignore(beat).pipe(Effect.delay(beatEvery), Effect.forever, Effect.forkIn(scope))
  return {
    manager,
    epoch,
    /** All that it was told, in order. */
    told,
    until,
    /** Why the connection ended, when it has. */
    end,
    disconnect: Scope.close(scope, Exit.void),
    beat,
    /** Beats no more, as a process that hangs. */
    hang: Fiber.interrupt(beating),
    released: (suiteId: SuiteId) => manager.Released({ epoch, suiteId })
  }
})

/** Why a process may not connect. */
export const refused = Effect.fnUntraced(function* (
  managerId: ManagerId,
  options: { readonly instance?: string; readonly tags?: ReadonlyArray<string> } = {}
) {
  const manager = (yield* ManagerEntity.client)(managerId)
  return yield* Effect.flip(
    Stream.runDrain(manager.Connect({ instance: options.instance ?? "instance", spec: spec(options.tags) }))
  )
})

/** How its sessions were lost, as the log has it. */
export const ends = Effect.fnUntraced(function* (managerId: ManagerId) {
  const sql = yield* SqlClient
  const rows = yield* sql<{ reason: string; lease_end: string | null }>`
    select data->>'reason' as reason, data->>'leaseEnd' as lease_end from events
    where stream = ${managerStream(managerId)} and type = 'ManagerLost' order by version`
  return rows.map(({ lease_end, reason }) => ({ reason, leaseEnd: lease_end }))
})

/** A manager's row. */
export const row = Effect.fnUntraced(function* (managerId: ManagerId) {
  const sql = yield* SqlClient
  const [found] = yield* sql<{
    state: string
    epoch: number
    suite_id: string | null
    connected: boolean
    draining: boolean
  }>`select state, epoch, suite_id, connected, draining from managers where id = ${managerId}`
  return found
})
