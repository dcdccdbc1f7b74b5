/**
 * The typed client: what another program imports to hand work to Muster and to follow it.
 *
 * ```ts
 * const program = Effect.gen(function* () {
 *   const muster = yield* MusterClient
 *   const suite = yield* muster.createSuite({ name: "hashes" })
 *   yield* muster.submit(suite.id, [{ program: "sha256sum", args: ["README.md"] }])
 *   yield* muster.closeSuite(suite.id)
 *   yield* Stream.runForEach(muster.results(suite.id), (result) => Console.log(result.stdout))
 * }).pipe(Effect.provide(MusterClient.layer({ url: "http://127.0.0.1:7117", token })))
 * ```
 *
 * Whatever changes something is sent with an id of its own and repeated under it until it is answered, so a lost
 * connection or a coordinator that is replaced neither loses nor doubles it.
 */
import { Context, Duration, Effect, Layer, Option, Stream } from "effect"
import type { Rpc } from "effect/rpc"
import type { InvalidInput } from "@muster/domain/Errors"
import type { Handler } from "@muster/domain/Handler"
import type { ManagerId } from "@muster/domain/Manager/Id"
import type { ShutdownMode } from "@muster/domain/Manager/Spec"
import type { Role } from "@muster/domain/Rpc/Authentication"
import { taskId as makeTaskId } from "@muster/domain/Suite/Id"
import type { SuiteId, TaskId } from "@muster/domain/Suite/Id"
import { SuiteSpec } from "@muster/domain/Suite/Spec"
import type { CancelMode } from "@muster/domain/Suite/Spec"
import type { TaskSpec } from "@muster/domain/Task/Spec"
import { Name } from "@muster/domain/Text"
import * as Batches from "./Batches.ts"
import type { Many } from "./Batches.ts"
import * as Connection from "./Connection.ts"
import { HandlerBroke, WaitTimedOut } from "./Errors.ts"
import * as Handlers from "./Handlers.ts"
import * as Ids from "./Ids.ts"
import * as Input from "./Input.ts"
import * as Logs from "./Logs.ts"
import * as Settlements from "./Settlements.ts"

export type Options = Connection.Options

/** A suite and a task as people write them: durations as `30s` or milliseconds, sizes as `64Ki` or bytes. */
export type SuiteInput = (typeof SuiteSpec)["Encoded"]
export type TaskInput = (typeof TaskSpec)["Encoded"]

/** What a list is asked for. With `limit` it ends after so many items, else it is read to its end. */
export type Query<Tag extends Connection.Rpcs["_tag"]> = Omit<
  Rpc.PayloadConstructor<Extract<Connection.Rpcs, { readonly _tag: Tag }>>,
  "cursor"
>

/** Items in one page of a list that is read to its end. */
const pageSize = 1_000

const decodeSuite = Input.decode(SuiteSpec)
const decodeName = Input.decode(Name, "name")

export interface RunOptions extends Batches.Options {
  /** Longest wait for the end, after which the run fails with `WaitTimedOut` and the suite goes on (default: none). */
  readonly timeout?: Duration.Input
}

const make = Effect.fnUntraced(function* (options: Options) {
  const { call, rpc, stream, url } = yield* Connection.make(options)

  /** A request that changes something: its id is made once and kept for all tries. */
  const command = <A, E, R>(request: (commandId: string) => Effect.Effect<A, E, R>) =>
    Effect.flatMap(Ids.commandId, (commandId) => call(request(commandId)))

  /** A list read page by page, as far as the reader wants. */
  const list = <A, E>(
    page: (query: {
      readonly limit: number
      readonly cursor?: string
    }) => Effect.Effect<{ readonly items: ReadonlyArray<A>; readonly nextCursor: string | null }, E>,
    limit = Number.POSITIVE_INFINITY
  ): Stream.Stream<A, Connection.Lasting<E>> => {
    const first: { readonly limit: number; readonly cursor?: string } = { limit: Math.min(limit, pageSize) }
    return Stream.paginate(first, (query) =>
      Effect.map(
        call(page(query)),
        ({ items, nextCursor }) =>
          [items, nextCursor === null ? Option.none() : Option.some({ ...query, cursor: nextCursor })] as const
      )
    ).pipe(Stream.take(limit))
  }

  const serverInfo = call(rpc.GetServerInfo())
  /** Coordinators and who of them leads what; with `suites` also where each suite is. */
  const cluster = (query: { readonly suites?: boolean } = {}) => call(rpc.GetCluster(query))

  /** What is wrong with the coordinators, and unless `database` is false with the database. */
  const examine = ({ database = true, full = false }: { readonly full?: boolean; readonly database?: boolean } = {}) =>
    call(rpc.Examine({ full, database }))

  /** Makes a suite under an id of this side's choice. */
  const createSuite = Effect.fn("MusterClient.createSuite")(function* (spec: SuiteInput = {}) {
    const decoded = yield* decodeSuite(spec)
    const suiteId = yield* Ids.suiteId
    return yield* command((commandId) => rpc.CreateSuite({ suiteId, spec: decoded, commandId }))
  })

  /** Sends tasks in batches, several at once; answers when all are durable. Nothing of a batch with a bad task is sent. */
  const submit = <E = never, R = never>(
    suiteId: SuiteId,
    tasks: Many<TaskInput, E, R>,
    submitOptions?: Batches.Options
  ) =>
    Batches.submit(
      tasks,
      (batch) => command((commandId) => rpc.SubmitTasks({ suiteId, tasks: batch, commandId })),
      submitOptions
    )

  const closeSuite = (suiteId: SuiteId) => command((commandId) => rpc.CloseSuite({ suiteId, commandId }))
  const pauseSuite = (suiteId: SuiteId) => command((commandId) => rpc.PauseSuite({ suiteId, commandId }))
  const resumeSuite = (suiteId: SuiteId) => command((commandId) => rpc.ResumeSuite({ suiteId, commandId }))
  const cancelSuite = (
    suiteId: SuiteId,
    { mode = "graceful", reason = "" }: { readonly mode?: CancelMode; readonly reason?: string } = {}
  ) => command((commandId) => rpc.CancelSuite({ suiteId, mode, reason, commandId }))

  /** Puts settled tasks back into the queue: the given ones, or all that failed. */
  const retryTasks = (suiteId: SuiteId, tasks: "failed" | ReadonlyArray<number>) =>
    command((commandId) => rpc.RetryTasks({ suiteId, tasks, commandId }))
  const cancelTasks = (suiteId: SuiteId, tasks: ReadonlyArray<number>, reason = "") =>
    command((commandId) => rpc.CancelTasks({ suiteId, tasks, reason, commandId }))

  const getSuite = (suiteId: SuiteId) => call(rpc.GetSuite({ suiteId }))
  const listSuites = (query: Query<"ListSuites"> = {}) =>
    list((page) => rpc.ListSuites({ ...query, ...page }), query.limit)
  const getTask = (taskId: TaskId) => call(rpc.GetTask({ taskId }))
  /** Why a task is in its state; `at`: at another time than now, as `2026-11-24T18:20:00Z` or, for ten minutes ago, `10m`. */
  const explainTask = (taskId: TaskId, { at }: { readonly at?: string } = {}) =>
    call(rpc.ExplainTask(at === undefined ? { taskId } : { taskId, at }))
  const listTasks = (query: Query<"ListTasks">) => list((page) => rpc.ListTasks({ ...query, ...page }), query.limit)

  /** The suite now and after each change, until nothing is pending. `interval`: shortest time between two, in milliseconds. */
  const watch = (suiteId: SuiteId, { interval }: { readonly interval?: number } = {}) =>
    stream(() => rpc.WatchSuite(interval === undefined ? { suiteId } : { suiteId, interval })).pipe(
      Stream.changesWith((a, b) => a.version === b.version && a.state === b.state)
    )

  /** Each settled task once, as they settle; until nothing is pending, or with `follow: false` what is settled by now. */
  const results = (suiteId: SuiteId, { follow = true }: { readonly follow?: boolean } = {}) =>
    Stream.suspend(() => {
      const settlements = Settlements.make()
      return stream(() => rpc.StreamResults({ suiteId, follow })).pipe(
        Stream.filter((result) => settlements.isNew(result.index, result.attempt))
      )
    })

  /** Waits until nothing is pending and answers with the suite as it is then. */
  const wait = Effect.fn("MusterClient.wait")(function* (
    suiteId: SuiteId,
    waitOptions: { readonly timeout?: Duration.Input; readonly interval?: number } = {}
  ) {
    const untilSettled = Effect.andThen(Stream.runDrain(watch(suiteId, waitOptions)), getSuite(suiteId))
    if (waitOptions.timeout === undefined) return yield* untilSettled
    const timeout = Duration.fromInputUnsafe(waitOptions.timeout)
    return yield* Effect.timeoutOrElse(untilSettled, {
      duration: timeout,
      orElse: () =>
        Effect.flatMap(getSuite(suiteId), (suite) =>
          Effect.fail(new WaitTimedOut({ suite, timeout: Duration.toMillis(timeout) }))
        )
    })
  })

  /** Makes a suite of these tasks, closes it and waits for its end. */
  const runSuite = Effect.fn("MusterClient.runSuite")(function* <E = never, R = never>(
    spec: SuiteInput,
    tasks: Many<TaskInput, E, R>,
    runOptions: RunOptions = {}
  ) {
    const { id } = yield* createSuite(spec)
    yield* submit(id, tasks, runOptions)
    yield* closeSuite(id)
    return yield* wait(id, runOptions)
  })

  /** The output of a task as bytes; with `follow` also what is still to come. */
  const logs = (taskId: TaskId, logOptions: Logs.Options = {}) =>
    Logs.read(
      taskId,
      {
        getTask: call(rpc.GetTask({ taskId })),
        read: (attempt, offset, limit) =>
          call(rpc.ReadTaskLog({ taskId, attempt, stream: logOptions.stream ?? "stdout", offset, limit }))
      },
      logOptions
    )

  /** A task of a typed handler for each input. */
  const submitInputs = <Name extends string, Input, Output, Failure, E = never, R = never>(
    suiteId: SuiteId,
    handler: Handler<Name, Input, Output, Failure>,
    inputs: Many<Input, E, R>,
    { settings, ...submitOptions }: Batches.Options & { readonly settings?: Handlers.Settings } = {}
  ) => submit(suiteId, Handlers.toTasks(handler, Batches.toStream(inputs), settings), submitOptions)

  /** What the tasks of a typed handler came to, as they settle. The suite must hold no other tasks. */
  const handlerResults = <Name extends string, Input, Output, Failure>(
    suiteId: SuiteId,
    handler: Handler<Name, Input, Output, Failure>,
    resultOptions?: { readonly follow?: boolean }
  ) => Stream.mapEffect(results(suiteId, resultOptions), Handlers.toResult(handler))

  /** Runs a typed handler once, in a suite of its own: like calling it, but on a machine of the cluster. */
  const runHandler = Effect.fn("MusterClient.runHandler")(function* <Name extends string, Input, Output, Failure>(
    handler: Handler<Name, Input, Output, Failure>,
    input: Input,
    { settings, suite }: { readonly settings?: Handlers.Settings; readonly suite?: SuiteInput } = {}
  ) {
    const { id } = yield* createSuite({ name: handler.name, ...suite })
    yield* submitInputs(id, handler, [input], settings === undefined ? {} : { settings })
    yield* closeSuite(id)
    const result = yield* Stream.runHead(handlerResults(id, handler))
    if (Option.isNone(result)) {
      const { tasks } = yield* getSuite(id)
      const outcome = tasks.cancelled > 0 ? "cancelled" : "lost"
      return yield* new HandlerBroke({ taskId: makeTaskId(id, 0), outcome, reason: "settled without a result" })
    }
    switch (result.value._tag) {
      case "Succeeded":
        return result.value.output
      case "Failed":
        return yield* Effect.fail(result.value.failure)
      case "Broke":
        return yield* result.value.error
    }
  })

  return {
    /** Where this client connects to. */
    url,
    serverInfo,
    cluster,
    examine,
    createSuite,
    submit,
    closeSuite,
    pauseSuite,
    resumeSuite,
    cancelSuite,
    retryTasks,
    cancelTasks,
    getSuite,
    listSuites,
    getTask,
    explainTask,
    listTasks,
    watch,
    results,
    wait,
    runSuite,
    logs,
    submitInputs,
    handlerResults,
    runHandler,

    listManagers: (query: Query<"ListManagers"> = {}) =>
      list((page) => rpc.ListManagers({ ...query, ...page }), query.limit),
    getManager: (managerId: ManagerId) => call(rpc.GetManager({ managerId })),
    /** No new work for this machine; `draining: false` ends that. */
    drainManager: (managerId: ManagerId, draining = true) =>
      command((commandId) => rpc.DrainManager({ managerId, draining, commandId })),
    shutdownManager: (managerId: ManagerId, mode: ShutdownMode = "graceful") =>
      command((commandId) => rpc.ShutdownManager({ managerId, mode, commandId })),
    listWorkers: (query: Query<"ListWorkers"> = {}) =>
      list((page) => rpc.ListWorkers({ ...query, ...page }), query.limit),

    /** Events of one stream, or of the whole log. */
    listEvents: (query: Query<"ListEvents"> = {}) => list((page) => rpc.ListEvents({ ...query, ...page }), query.limit),
    /** Events as they are stored, from now on. */
    tailEvents: (query: Query<"TailEvents"> = {}) => stream(() => rpc.TailEvents(query)),

    /**
     * All that happened to a suite, to be taken elsewhere: a header, then the events that it announces. When the connection
     * breaks it begins again, with a header of its own.
     */
    exportSuite: (suiteId: SuiteId) => stream(() => rpc.ExportSuite({ suiteId })),

    createToken: (name: string, role: Role) =>
      Effect.flatMap(decodeName(name), (decoded) => call(rpc.CreateToken({ name: decoded, role }))),
    listTokens: call(rpc.ListTokens()),
    /** Answers whether there was one. */
    revokeToken: (name: string) =>
      Effect.flatMap(decodeName(name), (decoded) => call(rpc.RevokeToken({ name: decoded })))
  }
})

export class MusterClient extends Context.Service<MusterClient, Effect.Success<ReturnType<typeof make>>>()(
  "@muster/client/MusterClient"
) {
  static readonly make = make

  /** Connects in the background and stays connected while the layer lives. */
  static readonly layer = (options: Options): Layer.Layer<MusterClient, InvalidInput> =>
    Layer.effect(MusterClient, make(options))
}
