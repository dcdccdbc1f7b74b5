/**
 * Where clients' calls arrive: questions go to the read models, commands to the actors behind `Suites` and `Managers`.
 */
import { Effect, Option, Stream } from "effect"
import { CurrentActor } from "@muster/domain/Rpc/Authentication"
import { ClientRpcs } from "@muster/domain/Rpc/ClientRpcs"
import { Tokens } from "../Auth/Tokens.ts"
import { Doctor } from "../Doctor.ts"
import { EventStore } from "../EventStore.ts"
import { Managers } from "../Managers.ts"
import { ClusterQueries } from "../ReadModels/ClusterQueries.ts"
import { EventQueries } from "../ReadModels/EventQueries.ts"
import { ManagerQueries } from "../ReadModels/ManagerQueries.ts"
import { SuiteBundles } from "../ReadModels/SuiteBundles.ts"
import { SuiteQueries } from "../ReadModels/SuiteQueries.ts"
import { SuiteStreams } from "../ReadModels/SuiteStreams.ts"
import { TaskExplanations } from "../ReadModels/TaskExplanations.ts"
import { TaskLogs } from "../ReadModels/TaskLogs.ts"
import { TaskQueries } from "../ReadModels/TaskQueries.ts"
import * as Wakeup from "../ReadModels/Wakeup.ts"
import { WorkerQueries } from "../ReadModels/WorkerQueries.ts"
import { Suites } from "../Suites.ts"
import * as InputNesting from "./InputNesting.ts"
import { ServerInfo } from "./ServerInfo.ts"

/** Pause between two views of a watched suite when the client does not say. Milliseconds. */
const defaultWatchInterval = 200
/** The shortest pause that a client may ask for: each view is a query. */
const shortestWatchInterval = 20

/** Events that `TailEvents` reads at once: each may hold thousands of tasks. */
const tailBatch = 4

export const layer = ClientRpcs.toLayer(
  Effect.gen(function* () {
    const suites = yield* Suites
    const managers = yield* Managers
    const suiteQueries = yield* SuiteQueries
    const suiteStreams = yield* SuiteStreams
    const taskQueries = yield* TaskQueries
    const explanations = yield* TaskExplanations
    const taskLogs = yield* TaskLogs
    const managerQueries = yield* ManagerQueries
    const workerQueries = yield* WorkerQueries
    const eventQueries = yield* EventQueries
    const bundles = yield* SuiteBundles
    const clusterQueries = yield* ClusterQueries
    const tokens = yield* Tokens
    const store = yield* EventStore
    const info = yield* ServerInfo
    const doctor = yield* Doctor

    /** Adds who asks, as the events will say. */
    const asked = <Payload, A, E, R>(
      payload: Payload,
      command: (options: Payload & { readonly actor: string }) => Effect.Effect<A, E, R>
    ) => Effect.flatMap(CurrentActor, ({ name }) => command({ ...payload, actor: name }))

    const tail = (stream: string | undefined, cursor: string | undefined) =>
      Stream.unwrap(
        Effect.gen(function* () {
          const wakeup = yield* Wakeup.make(store, stream)
          const from = cursor ?? (yield* eventQueries.end(stream))
          return Stream.paginate(from, (after) =>
            Effect.gen(function* () {
              const batch = yield* eventQueries.after({ stream, cursor: after, limit: tailBatch })
              if (batch.events.length === 0) yield* wakeup.wait
              return [batch.events, Option.some(batch.cursor)] as const
            })
          )
        })
        // One event per message, so that a message is never larger than the one in which its event came.
      ).pipe(Stream.rechunk(1))

    return ClientRpcs.of({
      GetServerInfo: () => Effect.succeed(info),
      GetCluster: (options) => clusterQueries.status(options),
      CreateSuite: (payload) => asked(payload, suites.create),
      SubmitTasks: (payload) =>
        Effect.andThen(
          InputNesting.check(payload.tasks, (place) => `tasks[${place}]`),
          asked(payload, suites.submit)
        ),
      CloseSuite: (payload) => asked(payload, suites.close),
      PauseSuite: (payload) => asked(payload, suites.pause),
      ResumeSuite: (payload) => asked(payload, suites.resume),
      CancelSuite: (payload) => asked(payload, suites.cancel),
      RetryTasks: (payload) => asked(payload, suites.retry),
      CancelTasks: (payload) => asked(payload, suites.cancelTasks),
      GetSuite: ({ suiteId }) => suiteQueries.detail(suiteId),
      ListSuites: (filter) => suiteQueries.list(filter),
      WatchSuite: ({ interval, suiteId }) =>
        suiteStreams.watch(suiteId, Math.max(interval ?? defaultWatchInterval, shortestWatchInterval)),
      StreamResults: ({ follow, suiteId }) => suiteStreams.results(suiteId, { follow }),
      ListTasks: (filter) => taskQueries.list(filter),
      GetTask: ({ taskId }) => taskQueries.detail(taskId),
      ExplainTask: ({ at, taskId }) => explanations.explain(taskId, at),
      ReadTaskLog: (range) => taskLogs.read(range),
      ListManagers: (filter) => managerQueries.list(filter),
      GetManager: ({ managerId }) => managerQueries.get(managerId),
      DrainManager: (payload) => Effect.andThen(asked(payload, managers.drain), managerQueries.get(payload.managerId)),
      ShutdownManager: (payload) =>
        Effect.andThen(asked(payload, managers.shutdown), managerQueries.get(payload.managerId)),
      ListWorkers: (filter) => workerQueries.list(filter),
      ListEvents: (filter) => eventQueries.list(filter),
      TailEvents: ({ cursor, stream }) => tail(stream, cursor),
      ExportSuite: ({ suiteId }) =>
        Stream.unwrap(
          Effect.map(bundles.make(suiteId), ({ events, header }) =>
            Stream.concat(
              Stream.make({ header }),
              Stream.map(events, (event) => ({ event }))
            )
          )
        ).pipe(Stream.rechunk(1)),
      CreateToken: (options) => tokens.create(options),
      ListTokens: () => tokens.list,
      RevokeToken: ({ name }) => tokens.revoke(name),
      Examine: (options) => doctor.examine(options)
    })
  })
)
