/**
 * How a manager goes: takes nothing more, gives back what nobody began, lets finish what runs (or not), reports, says
 * goodbye.
 *
 * What still runs when the time is over is ended like a cancelled task (TERM, grace, KILL) but reported as `lost`: nobody
 * wanted its end, so it is to run again elsewhere. `returned` would not do, since it says that nothing was begun and would
 * hide that the command may have had effects; `cancelled` would settle the task.
 */
import { Context, Deferred, Effect, Layer, Option } from "effect"
import type { ShutdownMode } from "@muster/domain/Manager/Spec"
import { Announcer } from "./Announcer.ts"
import { Assignment } from "./Assignment.ts"
import { CoordinatorSession } from "./CoordinatorSession.ts"
import { ManagerConfig } from "./ManagerConfig.ts"
import { Reporter } from "./Reporter.ts"
import { WorkerPool } from "./WorkerPool.ts"

export class Shutdown extends Context.Service<
  Shutdown,
  {
    /** Asks the manager to go. `force` after `graceful` hurries it. */
    readonly request: (mode: ShutdownMode) => void
    readonly requested: Effect.Effect<ShutdownMode>
    /** Goes. The session must be kept up meanwhile. */
    readonly perform: Effect.Effect<void>
  }
>()("@muster/manager/Shutdown") {}

/** Time for commands to react to TERM, within the 30 seconds that a manager has. Then they are killed. */
const evictTimeout = "1500 millis"

/** Time for the last reports to be answered. The journal keeps what was not. */
const reportTimeout = "1500 millis"

const leaveTimeout = "500 millis"

const make = Effect.gen(function* () {
  const announcer = yield* Announcer
  const assignment = yield* Assignment
  const config = yield* ManagerConfig
  const pool = yield* WorkerPool
  const reporter = yield* Reporter
  const session = yield* CoordinatorSession
  const graceful = yield* Deferred.make<ShutdownMode>()
  const force = yield* Deferred.make<void>()

  const request = (mode: ShutdownMode) => {
    if (mode === "force") Deferred.doneUnsafe(force, Effect.void)
    Deferred.doneUnsafe(graceful, Effect.succeed(mode))
  }

  const finish = Effect.raceFirst(pool.idle, Deferred.await(force)).pipe(Effect.timeoutOption(config.shutdownLimit))

  const perform = Effect.gen(function* () {
    assignment.close()
    if (Option.isNone(yield* finish)) yield* Effect.logWarning("running tasks took too long and are ended")
    if (pool.running() > 0) {
      pool.evict()
      yield* Effect.timeoutOption(pool.idle, evictTimeout)
      yield* pool.dismiss({ report: true })
    }
    const report = reporter.settled(() => true).pipe(Effect.timeoutOption(reportTimeout))
    const [reported] = yield* Effect.all([report, pool.stop], { concurrency: 2 })
    if (Option.isNone(reported)) {
      yield* Effect.logWarning(`${reporter.backlog()} results stay in the journal for the next start`)
    }
    // That the workers have stopped is worth a moment, but no more.
    yield* Effect.timeoutOption(announcer.settled, leaveTimeout)
    yield* session
      .tryOnce((client, speaker) => client.Leave(speaker))
      .pipe(Effect.timeoutOption(leaveTimeout), Effect.asVoid)
  })

  return Shutdown.of({ request, requested: Deferred.await(graceful), perform })
})

export const layer: Layer.Layer<
  Shutdown,
  never,
  Announcer | Assignment | CoordinatorSession | ManagerConfig | Reporter | WorkerPool
> = Layer.effect(Shutdown, make)
