/**
 * Plays a manager: connects, leases, reports, and answers for logs as a machine would.
 */
import { Deferred, Effect, Stream } from "effect"
import { randomUUID } from "node:crypto"
import { ManagerEntity } from "@muster/domain/Entities/ManagerEntity"
import type { Directive } from "@muster/domain/Manager/Directive"
import { Epoch } from "@muster/domain/Manager/Id"
import type { ManagerId } from "@muster/domain/Manager/Id"
import type { ManagerSpec } from "@muster/domain/Manager/Spec"
import type { SuiteId } from "@muster/domain/Suite/Id"
import type { AttemptResult } from "@muster/domain/Task/Attempt"
import { Suites } from "../../src/Suites.ts"
import { newManagerId } from "./TestIds.ts"

export const spec: ManagerSpec = {
  name: "test machine",
  tags: ["linux", "test"],
  labels: [],
  workers: 2,
  version: "0.0.0",
  host: { hostname: "test", platform: "linux", cpus: 2, memory: 1024 ** 3 }
}

export interface TestManager {
  readonly managerId: ManagerId
  readonly epoch: Epoch
}

type ReadLog = Extract<Directive, { readonly _tag: "ReadLog" }>

/** Connects for as long as the scope lasts. `logs` are the files on its machine. */
export const connect = Effect.fnUntraced(function* (
  logs: (asked: ReadLog) => Buffer | undefined = () => undefined,
  own: Partial<ManagerSpec> = {}
) {
  const managerId = newManagerId()
  const manager = (yield* ManagerEntity.client)(managerId)
  const welcomed = yield* Deferred.make<Epoch>()
  yield* manager.Connect({ instance: randomUUID(), spec: { ...spec, ...own } }).pipe(
    Stream.runForEach((directive) => {
      if (directive._tag === "Welcome") return Deferred.succeed(welcomed, directive.epoch)
      if (directive._tag !== "ReadLog") return Effect.void
      const log = logs(directive)
      const { limit, offset, requestId } = directive
      const data = new Uint8Array(log?.subarray(offset, offset + limit) ?? [])
      const chunk = { data, size: log?.length ?? 0, ended: true, missing: log === undefined }
      return manager.AnswerLog({ requestId, chunk })
    }),
    Effect.forkScoped
  )
  return { managerId, epoch: yield* Deferred.await(welcomed) }
})

/** A session that is only a name: suites ask nobody whether a manager is there. */
export const imaginary = (): TestManager => ({ managerId: newManagerId(), epoch: Epoch.make(1) })

/** Leases up to `max` tasks. */
export const lease = Effect.fnUntraced(function* (manager: TestManager, suiteId: SuiteId, max: number) {
  const suites = yield* Suites
  const asked = { suiteId, commandId: randomUUID(), actor: `manager:${manager.managerId}` }
  return (yield* suites.lease({ ...asked, ...manager, max, wait: 0 })).leases
})

export type Ending = Partial<Omit<AttemptResult, "index" | "attempt">>

/** Reports how attempts ended. */
export const report = Effect.fnUntraced(function* (
  manager: TestManager,
  suiteId: SuiteId,
  ended: ReadonlyArray<AttemptResult>,
  started: ReadonlyArray<readonly [index: number, attempt: number, startedAt: number]> = []
) {
  const suites = yield* Suites
  const asked = { suiteId, commandId: randomUUID(), actor: `manager:${manager.managerId}` }
  return yield* suites.report({ ...asked, ...manager, started, ended, returned: [] })
})

/** Leases up to `max` tasks and reports that they ended; how, is for `ending` to say. */
export const run = Effect.fnUntraced(function* (
  manager: TestManager,
  suiteId: SuiteId,
  max: number,
  ending: (index: number) => Ending = () => ({})
) {
  const leases = yield* lease(manager, suiteId, max)
  const startedAt = Date.now()
  const ended = leases.map(({ attempt, index }): AttemptResult => ({
    index,
    attempt,
    outcome: "succeeded",
    exitCode: 0,
    startedAt,
    finishedAt: startedAt + 5,
    duration: 5,
    stdout: `out ${index}\n`,
    ...ending(index)
  }))
  yield* report(manager, suiteId, ended)
  return ended
})
