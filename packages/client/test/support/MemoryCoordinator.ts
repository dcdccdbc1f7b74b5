/**
 * A coordinator without a database: the real protocol on a real WebSocket, suites decided by the real decider, everything
 * in memory. It can be stopped and started on the same port, lose its answers, and let a test play the manager.
 */
import { NodeHttpServer } from "@effect/platform-node"
import { Effect, Exit, Layer, PubSub, Result, Scope, Stream } from "effect"
import { HttpRouter, HttpServer } from "effect/http"
import { RpcServer } from "effect/rpc"
import { createServer } from "node:http"
import { Unauthorized, Unavailable } from "@muster/domain/Errors"
import { Epoch, ManagerId } from "@muster/domain/Manager/Id"
import { AdminOnly, CurrentActor } from "@muster/domain/Rpc/Authentication"
import { ClientRpcs } from "@muster/domain/Rpc/ClientRpcs"
import type { LogChunk } from "@muster/domain/Rpc/ManagerRpcs"
import * as Serialization from "@muster/domain/Rpc/Serialization"
import * as Suite from "@muster/domain/Suite"
import type { Existing, SuiteState } from "@muster/domain/Suite/State"
import type { AttemptResult, TaskSpec } from "@muster/domain/Task"

export const token = "the-token"

const manager = ManagerId.make("0123456789abcdef")
const epoch = Epoch.make(1)

interface Stored {
  state: SuiteState
  readonly specs: Array<TaskSpec>
  readonly results: Array<Suite.TaskResult>
  readonly answers: Map<string, unknown>
  readonly changes: PubSub.PubSub<void>
}

export interface Received {
  readonly request: string
  readonly commandId: string
  readonly tasks: number
}

const missing = (id: Suite.SuiteId) => new Suite.SuiteNotFound({ suiteId: id })

const toResult = (suiteId: Suite.SuiteId, ended: AttemptResult): Suite.TaskResult => ({
  id: Suite.taskId(suiteId, ended.index),
  index: ended.index,
  state: ended.outcome === "succeeded" ? "succeeded" : "failed",
  attempt: ended.attempt,
  outcome: ended.outcome,
  exitCode: ended.exitCode ?? null,
  signal: ended.signal ?? null,
  startedAt: null,
  finishedAt: Suite.instant(ended.finishedAt),
  duration: ended.duration ?? null,
  stdout: ended.stdout ?? "",
  stderr: ended.stderr ?? "",
  output: ended.output ?? null,
  message: ended.message ?? null
})

/** What a test's own executor makes of a task. */
export type Execute = (spec: TaskSpec, index: number) => Omit<AttemptResult, "index" | "attempt" | "finishedAt">

export const make = Effect.gen(function* () {
  const suites = new Map<Suite.SuiteId, Stored>()
  const received: Array<Received> = []
  const logs = new Map<string, LogChunk>()
  /** Number of commands that will be carried out and then answered as if that were not known. */
  let answersToLose = 0

  const find = (id: Suite.SuiteId): Effect.Effect<Stored & { state: Existing }, Suite.SuiteNotFound> => {
    const found = suites.get(id)
    return found === undefined || found.state._tag === "Missing"
      ? Effect.fail(missing(id))
      : Effect.succeed(found as Stored & { state: Existing }) // the stage was just looked at
  }

  const decide = Effect.fnUntraced(function* (suite: Stored, command: Suite.SuiteCommand) {
    const decision = Suite.decide(suite.state, command)
    if (Result.isFailure(decision)) return yield* decision.failure
    const apply = (events: ReadonlyArray<Suite.SuiteEvent>) => {
      for (const event of events) suite.state = Suite.decider.evolve(suite.state, event)
      return events.length > 0
    }
    apply(decision.success)
    while (apply(Suite.decider.follow?.(suite.state, Date.now()) ?? []));
    yield* PubSub.publish(suite.changes, undefined)
    return decision.success
  })

  /** The first answer to a command id is given again; an answer may be lost after the command was carried out. */
  const once = <A, E>(
    suite: Stored,
    request: string,
    commandId: string,
    tasks: number,
    act: Effect.Effect<A, E>
  ): Effect.Effect<A, E | Unavailable> =>
    Effect.gen(function* () {
      received.push({ request, commandId, tasks })
      const known = suite.answers.get(commandId)
      const answer = known === undefined ? yield* act : (known as A) // stored below under the same id
      suite.answers.set(commandId, answer)
      if (answersToLose > 0) {
        answersToLose--
        return yield* new Unavailable({ reason: "the answer was lost" })
      }
      return answer
    })

  const view = (suite: Stored) => Suite.suiteView(suite.state as Existing) // asked for after it was created

  const simple =
    (tag: "CloseSuite" | "PauseSuite" | "ResumeSuite") =>
    ({ commandId, suiteId }: { readonly suiteId: Suite.SuiteId; readonly commandId: string }) =>
      Effect.flatMap(find(suiteId), (suite) =>
        once(
          suite,
          tag,
          commandId,
          0,
          Effect.map(decide(suite, { _tag: tag, now: Date.now() }), () => view(suite))
        )
      )

  /** Runs what is ready with the test's executor, as a manager would: lease, then report. */
  const work = Effect.fnUntraced(function* (suiteId: Suite.SuiteId, execute: Execute, max = 1_000_000) {
    const suite = yield* find(suiteId)
    const now = Date.now()
    const events = yield* decide(suite, { _tag: "LeaseTasks", now, manager, epoch, max })
    const leases = events.flatMap((event) => (event._tag === "TasksLeased" ? event.leases : []))
    const ended = leases.flatMap(([first, last, attempt]) =>
      suite.specs.slice(first, last + 1).map((spec, offset): AttemptResult => {
        const index = first + offset
        return { ...execute(spec, index), index, attempt, finishedAt: now }
      })
    )
    yield* decide(suite, { _tag: "ReportTasks", now, manager, epoch, started: [], ended, returned: [], random: 0 })
    suite.results.push(...ended.map((result) => toResult(suiteId, result)))
    yield* PubSub.publish(suite.changes, undefined)
    return ended.length
  })

  const isSettled = (suite: Stored) => view(suite).tasks.pending === 0

  /** Again after each change, until nothing is pending. */
  const following = <A>(suite: Stored, next: () => ReadonlyArray<A>): Stream.Stream<A> =>
    Stream.unwrap(
      Effect.map(PubSub.subscribe(suite.changes), (changes) =>
        Stream.concat(Stream.succeed(undefined), Stream.fromSubscription(changes)).pipe(
          Stream.map(() => ({ items: next(), last: isSettled(suite) })),
          Stream.takeUntil(({ last }) => last),
          Stream.map(({ items }) => items),
          Stream.flattenIterable
        )
      )
    )

  const unsupported = () => Effect.fail(new Unavailable({ reason: "not part of this test" }))

  const handlers = ClientRpcs.toLayer({
    GetServerInfo: () => Effect.succeed({ version: "0.0.0", coordinator: "memory", startedAt: "" }),
    CreateSuite: Effect.fnUntraced(function* ({ commandId, spec, suiteId }) {
      const suite: Stored = suites.get(suiteId) ?? {
        state: Suite.decider.initial(),
        specs: [],
        results: [],
        answers: new Map(),
        changes: yield* PubSub.unbounded<void>()
      }
      suites.set(suiteId, suite)
      const create = decide(suite, { _tag: "CreateSuite", id: suiteId, spec, now: Date.now() })
      return yield* once(
        suite,
        "CreateSuite",
        commandId,
        0,
        Effect.map(create, () => view(suite))
      )
    }),
    SubmitTasks: Effect.fnUntraced(function* ({ commandId, suiteId, tasks }) {
      const suite = yield* find(suiteId)
      const submit = Effect.suspend(() => {
        const firstIndex = suite.specs.length
        return Effect.map(decide(suite, { _tag: "SubmitTasks", tasks, now: Date.now() }), () => {
          suite.specs.push(...tasks)
          return { firstIndex, count: tasks.length }
        })
      })
      return yield* once(suite, "SubmitTasks", commandId, tasks.length, submit)
    }),
    CloseSuite: simple("CloseSuite"),
    PauseSuite: simple("PauseSuite"),
    ResumeSuite: simple("ResumeSuite"),
    CancelSuite: Effect.fnUntraced(function* ({ commandId, mode, reason, suiteId }) {
      const suite = yield* find(suiteId)
      const before = suite.state.counts[0] ?? 0
      const cancel = decide(suite, { _tag: "CancelSuite", mode, reason, now: Date.now() })
      return yield* once(
        suite,
        "CancelSuite",
        commandId,
        0,
        Effect.map(cancel, () => ({ suite: view(suite), cancelledTasks: before }))
      )
    }),
    RetryTasks: Effect.fnUntraced(function* ({ commandId, suiteId, tasks }) {
      const suite = yield* find(suiteId)
      const retry = decide(suite, { _tag: "RetryTasks", tasks, now: Date.now() })
      return yield* once(
        suite,
        "RetryTasks",
        commandId,
        0,
        Effect.map(retry, () => ({ suite: view(suite), retriedTasks: view(suite).tasks.queued }))
      )
    }),
    CancelTasks: unsupported,
    GetSuite: ({ suiteId }) =>
      Effect.map(find(suiteId), (suite) => ({ ...view(suite), spec: suite.state.spec, managers: [] })),
    ListSuites: ({ cursor, limit = 50 }) => {
      const start = Number(cursor ?? 0)
      const all = [...suites.values()].map(view)
      const next = start + limit
      return Effect.succeed({
        items: all.slice(start, next),
        nextCursor: next < all.length ? String(next) : null
      })
    },
    WatchSuite: ({ suiteId }) =>
      Stream.unwrap(Effect.map(find(suiteId), (suite) => following(suite, () => [view(suite)]))),
    StreamResults: ({ follow, suiteId }) =>
      Stream.unwrap(
        Effect.map(find(suiteId), (suite) => {
          let sent = 0
          const next = () => suite.results.slice(sent, (sent = suite.results.length))
          return follow ? following(suite, next) : Stream.fromIterable(suite.results)
        })
      ),
    ListTasks: unsupported,
    GetTask: ({ taskId }) =>
      Effect.gen(function* () {
        const { index, suiteId } = Suite.parseTaskId(taskId)
        const suite = yield* find(suiteId)
        const spec = suite.specs[index]
        if (spec === undefined) return yield* new Suite.TaskNotFound({ taskId })
        const log = logs.get(taskId)
        return {
          id: taskId,
          index,
          suiteId,
          spec,
          state: log === undefined ? "queued" : "running",
          outcome: null,
          exitCode: null,
          signal: null,
          submittedAt: "",
          startedAt: null,
          finishedAt: null,
          duration: null,
          manager: null,
          priority: 0,
          labels: [],
          retryAt: null,
          cancelRequested: false,
          message: null,
          stdout: "",
          stderr: "",
          output: null,
          attempts:
            log === undefined
              ? []
              : [
                  {
                    number: 1,
                    manager,
                    epoch,
                    startedAt: "2026-01-01T00:00:00.000Z",
                    finishedAt: null,
                    duration: null,
                    exitCode: null,
                    signal: null,
                    outcome: null,
                    peakMemory: null,
                    message: null,
                    stdout: "",
                    stderr: ""
                  }
                ]
        }
      }),
    ExplainTask: () => Effect.die("not part of this coordinator"),
    ReadTaskLog: ({ limit, offset, taskId }) =>
      Effect.sync(() => {
        const log = logs.get(taskId)
        return log === undefined
          ? { data: new Uint8Array(), size: 0, ended: true, missing: true }
          : { ...log, data: log.data.slice(offset, offset + limit) }
      }),
    ListManagers: unsupported,
    GetManager: unsupported,
    DrainManager: unsupported,
    ShutdownManager: unsupported,
    ListWorkers: unsupported,
    GetCluster: unsupported,
    ListEvents: unsupported,
    TailEvents: () => Stream.fromEffect(unsupported()),
    ExportSuite: () => Stream.fromEffect(unsupported()),
    CreateToken: unsupported,
    ListTokens: unsupported,
    RevokeToken: unsupported,
    Examine: unsupported
  })

  const authentication = Layer.succeed(AdminOnly, (effect, { headers }) =>
    headers["authorization"] === `Bearer ${token}`
      ? Effect.provideService(effect, CurrentActor, { role: "admin", name: "admin" })
      : Effect.fail(new Unauthorized({ reason: "wrong token" }))
  )

  const server = (port: number) =>
    RpcServer.layer(ClientRpcs, { disableTracing: true }).pipe(
      Layer.provideMerge(RpcServer.layerProtocolWebsocket({ path: "/rpc" })),
      Layer.provide([handlers, authentication, Serialization.layer]),
      (routes) => HttpRouter.serve(routes, { disableLogger: true, disableListenLog: true }),
      Layer.provideMerge(NodeHttpServer.layer(createServer, { host: "127.0.0.1", port, gracefulShutdownTimeout: 0 }))
    )

  const outer = yield* Effect.scope
  let running: Scope.Closeable | undefined
  let port = 0

  const start = Effect.gen(function* () {
    const scope = yield* Scope.fork(outer)
    const context = yield* Layer.buildWithScope(server(port), scope)
    const { address } = yield* Effect.provideContext(HttpServer.HttpServer, context)
    if (address._tag !== "UnixPathAddress") port = address.port
    running = scope
  })
  /** Ends the server and all connections to it; what is stored stays. */
  const stop = Effect.suspend(() => (running === undefined ? Effect.void : Scope.close(running, Exit.void)))

  yield* start
  return {
    url: `http://127.0.0.1:${port}`,
    start,
    stop,
    work,
    received,
    /** Lets the next commands be carried out and then answered with `Unavailable`. */
    loseAnswers: (count: number) => Effect.sync(() => void (answersToLose = count)),
    writeLog: (taskId: Suite.TaskId, log: LogChunk) => Effect.sync(() => void logs.set(taskId, log)),
    specs: (suiteId: Suite.SuiteId) => Effect.map(find(suiteId), ({ specs }) => specs)
  }
})
