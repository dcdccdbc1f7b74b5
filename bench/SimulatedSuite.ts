/**
 * A suite on a simulated manager, from `Assigned` to `Released`: leases, "runs" and reports tasks as a real manager does.
 * A worker is a fiber that sleeps for as long as the input of its task says.
 */
import { Effect, Fiber, Latch, Queue } from "effect"
import type { Cause } from "effect"
import type { Epoch, ManagerId } from "@muster/domain/Manager/Id"
import type { Lease } from "@muster/domain/Rpc/ManagerRpcs"
import type { SuiteId } from "@muster/domain/Suite/Id"
import type { AttemptResult } from "@muster/domain/Task/Attempt"
import type { HandlerSpec } from "@muster/domain/Task/Spec"
import type * as Connection from "@muster/manager/Connection"

export interface Running {
  readonly suiteId: SuiteId
  readonly workers: number
  /** Open when no more tasks are to be taken. */
  readonly leaving: Latch.Latch
}

/** Tasks that ended, and for how many milliseconds workers were busy with them. */
export interface Done {
  tasks: number
  busy: number
}

export interface Session {
  readonly client: Connection.Client
  readonly managerId: ManagerId
  readonly epoch: Epoch
}

/** A task that takes this many milliseconds. */
export const task = (milliseconds: number): HandlerSpec => ({ handler: "simulated", input: milliseconds })

const runTime = ({ spec }: Lease): number => ("handler" in spec ? Number(spec.input) : 0)

/** How long a lease waits for its first task. Milliseconds. */
const leaseWait = 30_000

/** Results that end within this time are reported together. Milliseconds. */
const gather = 20

export const make = (suiteId: SuiteId, workers: number): Running => ({
  suiteId,
  workers,
  leaving: Latch.makeUnsafe(false)
})

export const run = Effect.fnUntraced(function* (session: Session, { leaving, suiteId, workers }: Running, done: Done) {
  const { client, ...speaker } = session
  const waiting = yield* Queue.unbounded<Lease>()
  const results = yield* Queue.unbounded<AttemptResult, Cause.Done>()
  const hungry = Latch.makeUnsafe(true)
  const idle = Latch.makeUnsafe(true)
  let busy = 0

  const change = (activity: "preparing" | "executing" | "cleanup" | "idle") =>
    client.ChangeActivity({ ...speaker, activity, suiteId })

  const report = (changes: {
    readonly ended?: ReadonlyArray<AttemptResult>
    readonly returned?: ReadonlyArray<Lease>
  }) =>
    client.ReportTasks({
      ...speaker,
      suiteId,
      commandId: crypto.randomUUID(),
      started: [],
      ended: changes.ended ?? [],
      returned: (changes.returned ?? []).map(({ attempt, index }) => [index, attempt])
    })

  /** What one worker does. Twice the workers are held in hand, so that it seldom waits. */
  const work = Effect.gen(function* () {
    const lease = yield* Queue.take(waiting)
    busy++
    yield* idle.close
    const startedAt = Date.now()
    yield* hungry.open
    yield* Effect.sleep(runTime(lease))
    const finishedAt = Date.now()
    done.tasks++
    done.busy += runTime(lease)
    busy--
    const { attempt, index } = lease
    yield* Queue.offer(results, { index, attempt, outcome: "succeeded", exitCode: 0, startedAt, finishedAt })
    yield* hungry.open
    if (busy === 0) yield* idle.open
  }).pipe(Effect.forever)

  const reporter = Effect.gen(function* () {
    const first = yield* Queue.take(results)
    yield* Effect.sleep(gather)
    yield* report({ ended: [first, ...(yield* Queue.clear(results))] })
  }).pipe(
    Effect.forever,
    Effect.catchTag("Done", () => Effect.void)
  )

  const lease = Effect.gen(function* () {
    yield* Effect.raceFirst(hungry.await, leaving.await)
    if (leaving.isOpen()) return
    const held = Queue.sizeUnsafe(waiting)
    if (held >= workers) {
      yield* hungry.close
      return
    }
    const commandId = crypto.randomUUID()
    const ask = (max: number, wait: number) => client.LeaseTasks({ ...speaker, suiteId, commandId, max, wait })
    const reply = yield* Effect.raceFirst(ask(2 * workers - held, leaseWait), Effect.as(leaving.await, undefined))
    // It may have been answered while it was withdrawn: only the same command tells.
    const { ended, leases } = reply ?? (yield* ask(0, 0))
    yield* Queue.offerAll(waiting, leases)
    if (ended) yield* leaving.open
  })

  yield* change("preparing")
  yield* change("executing")
  const workersBusy = yield* Effect.forEach(Array.from({ length: workers }), () => Effect.forkChild(work))
  const reporting = yield* Effect.forkChild(reporter)
  while (!leaving.isOpen()) yield* lease
  const returned = yield* Queue.clear(waiting)
  if (returned.length > 0) yield* report({ returned })
  yield* idle.await
  yield* Fiber.interruptAll(workersBusy)
  yield* Queue.end(results)
  yield* Fiber.join(reporting)
  yield* change("cleanup")
  yield* change("idle")
  yield* client.Released({ ...speaker, suiteId })
})
