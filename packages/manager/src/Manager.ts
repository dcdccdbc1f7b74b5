/**
 * A manager: all of its parts, and its life from start to end. This is the only place where they meet.
 */
// First, so that every schema below is compiled to code when it is first used: a third of the work of a hot coordinator.
import "effect/schema/SchemaJITCompiler/enable"
import { Cause, Data, Deferred, Effect, Exit, Fiber, FiberSet, Layer, Predicate, Schedule } from "effect"
import type { Runtime } from "effect"
import * as Os from "node:os"
import type { Directive } from "@muster/domain/Manager/Directive"
import type { ManagerId } from "@muster/domain/Manager/Id"
import type { ManagerSpec } from "@muster/domain/Manager/Spec"
import * as Announcer from "./Announcer.ts"
import * as Assignment from "./Assignment.ts"
import * as CoordinatorSession from "./CoordinatorSession.ts"
import * as Hooks from "./Hooks.ts"
import * as Instances from "./Instances.ts"
import * as Journal from "./Journal.ts"
import * as LogReader from "./LogReader.ts"
import * as LogRetention from "./LogRetention.ts"
import * as Machine from "./Machine.ts"
import * as ManagerConfig from "./ManagerConfig.ts"
import * as Prefetch from "./Prefetch.ts"
import * as Reporter from "./Reporter.ts"
import * as Shutdown from "./Shutdown.ts"
import * as SuiteLease from "./SuiteLease.ts"
import * as WorkerPool from "./WorkerPool.ts"
import * as WorkerServer from "./WorkerServer.ts"

/** Another process speaks for this manager too, as after a directory was copied to a second machine. */
export class IdentityConflict extends Data.TaggedError("IdentityConflict")<{
  readonly managerId: ManagerId
  readonly path: string
}> {
  override get message() {
    return (
      `another process speaks for manager ${this.managerId} too; if this directory is a copy, ` +
      `remove ${this.path} so that it gets an id of its own`
    )
  }
}

const journal = Layer.unwrap(
  Effect.gen(function* () {
    const { directory } = yield* Machine.Machine
    const { journalLimit } = yield* ManagerConfig.ManagerConfig
    return Journal.layer({ directory: directory.journal, limit: journalLimit })
  })
)

/** What a manager is made of, on whatever machine. The order is that of need, from what nobody uses to what everybody does. */
export const parts = Shutdown.layer.pipe(
  Layer.provideMerge(Assignment.layer),
  Layer.provideMerge(Hooks.layer),
  Layer.provideMerge(WorkerPool.layer),
  Layer.provideMerge(Announcer.layer),
  Layer.provideMerge(Prefetch.layer),
  Layer.provideMerge(Reporter.layer),
  Layer.provideMerge(CoordinatorSession.layer),
  Layer.provideMerge(SuiteLease.layer)
)

/** Everything but the settings. */
const layer = WorkerServer.layer.pipe(
  Layer.provideMerge(parts),
  Layer.provideMerge(Layer.merge(journal, Instances.layer)),
  Layer.provideMerge(Machine.layer)
)

export interface Options {
  /** Run once, when the coordinator may give work for the first time. */
  readonly onReady?:
    | ((manager: { readonly managerId: ManagerId; readonly pid: number }) => Effect.Effect<void>)
    | undefined
}

/**
 * So many sessions lost within so many milliseconds were not lost to a bad line, but to somebody who takes the identity
 * back each time. One of the two reaches the limit first and goes.
 */
const conflict = { sessions: 4, within: 60_000 }

/** The sessions of this manager, one after the other. Ends only with an error. */
const keepSessions = Effect.fn("Manager.keepSessions")(function* (options: Options) {
  const announcer = yield* Announcer.Announcer
  const assignment = yield* Assignment.Assignment
  const { directory, managerId } = yield* Machine.Machine
  const pool = yield* WorkerPool.WorkerPool
  const prefetch = yield* Prefetch.Prefetch
  const reporter = yield* Reporter.Reporter
  const session = yield* CoordinatorSession.CoordinatorSession
  const shutdown = yield* Shutdown.Shutdown
  const config = yield* ManagerConfig.ManagerConfig
  const runFork = yield* FiberSet.makeRuntime()
  let isFirst = true

  const answerLog = Effect.fnUntraced(function* (request: Extract<Directive, { readonly _tag: "ReadLog" }>) {
    const { attempt, index, requestId, suiteId } = request
    const isRunning = () => pool.has(suiteId, index, attempt) || prefetch.buffer.has(index, attempt)
    const chunk = yield* LogReader.read(directory.logs, request, isRunning).pipe(
      Effect.catch((error) =>
        Effect.as(Effect.logError(error.message), {
          data: new Uint8Array(0),
          size: 0,
          ended: true,
          missing: true
        })
      )
    )
    yield* session.tryOnce((client, speaker) => client.AnswerLog({ ...speaker, requestId, chunk }))
  })

  const callbacks: CoordinatorSession.Callbacks = {
    managerId,
    spec: specOf(config),
    beforeReady: Effect.andThen(
      reporter.handInEarlier,
      reporter.settled((epoch) => epoch !== session.speaker()?.epoch)
    ),
    onReady: Effect.suspend(() => {
      if (!isFirst) return Effect.logInfo("connected to the coordinator again")
      isFirst = false
      return Effect.andThen(
        Effect.logInfo(`manager ${managerId} is connected`),
        options.onReady?.({ managerId, pid: process.pid }) ?? Effect.void
      )
    }),
    onDirective: (directive) => {
      if (directive._tag === "ReadLog") runFork(answerLog(directive))
      else if (directive._tag === "Shutdown") shutdown.request(directive.mode)
      else assignment.order(directive)
    },
    pulse: () => ({
      activity: assignment.activity().activity,
      running: pool.running(),
      buffered: prefetch.buffer.size,
      ...prefetch.takeCounters()
    })
  }

  const carryOut = Effect.all([assignment.run, announcer.run], { concurrency: 2, discard: true })

  let lost: ReadonlyArray<number> = []
  for (;;) {
    // A new session knows nothing of the workers, and what was said before was meant for another one.
    yield* announcer.forget
    announcer.say({ _tag: "Workers", changes: pool.present() })
    const fenced = yield* Effect.raceFirst(session.run(callbacks), Effect.andThen(carryOut, Effect.never))
    yield* Effect.logWarning(`${fenced.message}; ending what runs and beginning anew`)
    yield* assignment.abandon
    const now = performance.now()
    lost = [...lost.filter((at) => now - at < conflict.within), now]
    if (lost.length >= conflict.sessions) {
      return yield* new IdentityConflict({ managerId, path: directory.identity })
    }
  }
})

const specOf = (config: ManagerConfig.ManagerConfig["Service"]): ManagerSpec => ({
  name: config.name,
  tags: config.tags,
  labels: config.labels,
  workers: config.workers,
  version: config.version,
  host: {
    hostname: Os.hostname(),
    platform: `${Os.platform()}-${Os.arch()}`,
    cpus: Os.availableParallelism(),
    memory: Os.totalmem()
  }
})

/** Removes old logs, now and again. */
const keepHouse = Effect.gen(function* () {
  const assignment = yield* Assignment.Assignment
  const { logRetention } = yield* ManagerConfig.ManagerConfig
  const { directory } = yield* Machine.Machine
  const round = Effect.suspend(() =>
    LogRetention.runOnce(directory.logs, assignment.activity().suiteId, Date.now(), logRetention)
  ).pipe(
    Effect.flatMap(({ removed }) =>
      removed > 0 ? Effect.logInfo(`removed the old logs of ${removed} suites`) : Effect.void
    ),
    Effect.catch((error) => Effect.logWarning(error.message))
  )
  yield* Effect.repeat(round, Schedule.spaced(LogRetention.interval(logRetention)))
})

/** Hears the signals that ask a process to go. The second one hurries it. */
const hearSignals = Effect.gen(function* () {
  const shutdown = yield* Shutdown.Shutdown
  let heard = 0
  const onSignal = () => shutdown.request(heard++ === 0 ? "graceful" : "force")
  yield* Effect.acquireRelease(
    Effect.sync(() => {
      process.on("SIGTERM", onSignal)
      process.on("SIGINT", onSignal)
    }),
    () =>
      Effect.sync(() => {
        process.off("SIGTERM", onSignal)
        process.off("SIGINT", onSignal)
      })
  )
})

/** The life of a manager from the start of its workers until it has gone. Needs nothing of the process that it runs in. */
export const live = Effect.fn("Manager.live")(function* (options: Options) {
  const pool = yield* WorkerPool.WorkerPool
  const shutdown = yield* Shutdown.Shutdown
  yield* pool.start
  const sessions = yield* Effect.forkScoped(keepSessions(options))
  const mode = yield* Effect.raceFirst(Fiber.join(sessions), shutdown.requested)
  yield* Effect.logInfo(`going (${mode})`)
  yield* shutdown.perform
})

/**
 * Runs a manager until it is told to go: by a signal, by a coordinator, or by interruption of the effect. In each case it
 * goes in good order, and the process ends with exit code 0 (see `teardown`); an error says why it could not run.
 *
 * `given` are settings that a program knows; the others come from the environment (see `ManagerConfig`).
 */
export const run = Effect.fn("Manager.run")(function* (given?: Partial<ManagerConfig.Settings>, options: Options = {}) {
  const stop = yield* Deferred.make<void>()
  const program = Effect.gen(function* () {
    const shutdown = yield* Shutdown.Shutdown
    yield* Deferred.await(stop).pipe(Effect.andThen(Effect.sync(() => shutdown.request("graceful"))), Effect.forkScoped)
    yield* hearSignals
    yield* Effect.forkScoped(keepHouse)
    yield* live(options)
  }).pipe(Effect.scoped, Effect.provide(Layer.provideMerge(layer, ManagerConfig.layer(given))))

  return yield* Effect.uninterruptibleMask(
    Effect.fnUntraced(function* (restore) {
      const fiber = yield* Effect.forkDetach(program)
      // An interruption ends this waiting and nothing else.
      const exit = yield* Effect.exit(restore(Fiber.await(fiber)))
      if (Exit.isFailure(exit)) yield* Deferred.succeed(stop, undefined)
      return yield* Fiber.join(fiber)
    })
  )
})

/** How the process of a manager ends that could not run. A supervisor may tell by it whether another start makes sense. */
export const exitCodes: Readonly<Record<string, number>> = {
  /** A setting is missing or wrong. */
  InvalidSetting: 2,
  /** A certificate or a key cannot be used. */
  TlsUnusable: 2,
  /** The coordinator does not accept the token. */
  TokenRefused: 3,
  /** Another manager has the directory. */
  DirectoryInUse: 6,
  /** Another process has the identity. */
  IdentityConflict: 7
}

/** For `NodeRuntime.runMain`, which takes an interruption by a signal for a failure. A manager that was told to go is none. */
export const teardown: Runtime.Teardown = (exit, onExit) => {
  if (Exit.isSuccess(exit) || Cause.hasInterruptsOnly(exit.cause)) return onExit(0)
  const error = Cause.squash(exit.cause)
  const tag = Predicate.hasProperty(error, "_tag") ? String(error._tag) : ""
  onExit(exitCodes[tag] ?? 1)
}
