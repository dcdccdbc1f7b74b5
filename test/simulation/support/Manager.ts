/**
 * A simulated manager process: all of the real manager but its machine (processes and files) and its line.
 */
import { Effect, Layer, Redacted } from "effect"
import { Socket } from "effect/socket/Socket"
import type { ManagerId } from "@muster/domain/Manager/Id"
import * as Connection from "@muster/manager/Connection"
import { Instances } from "@muster/manager/Instances"
import * as Journal from "@muster/manager/Journal"
import { Machine } from "@muster/manager/Machine"
import * as RealManager from "@muster/manager/Manager"
import * as ManagerConfig from "@muster/manager/ManagerConfig"
import { Shutdown } from "@muster/manager/Shutdown"
import * as WorkerServer from "@muster/manager/WorkerServer"
import { managersPort } from "./Coordinator.ts"
import type { Disk } from "./Disk.ts"
import type { Executions } from "./Executions.ts"
import type { Host } from "./Host.ts"
import type { Network } from "./Network.ts"
import * as Planted from "./Planted.ts"
import * as Sockets from "./Sockets.ts"
import * as Worker from "./Worker.ts"

export interface Options {
  readonly host: Host
  readonly network: Network
  readonly disk: Disk
  readonly managerId: ManagerId
  /** Names of the machines with coordinators. */
  readonly coordinators: ReadonlyArray<string>
  readonly workers: number
  readonly tags: ReadonlyArray<string>
  readonly executions: Executions
  readonly nature: Worker.Nature
  readonly plant?: Planted.Planted | undefined
}

export interface Manager {
  readonly host: Host
  /** Tells it to go, as a signal does. */
  readonly stop: () => void
}

const openTimeout = 10_000

const directory = { root: "/m", journal: "/m/journal", logs: "/m/logs", work: "/m/work", identity: "/m/manager-id" }

export const start = (options: Options): Manager => {
  const { coordinators, disk, executions, host, managerId, nature, network, tags, workers } = options
  let answers: Worker.Answers | undefined
  let stop = () => host.kill()
  const machine = Layer.succeed(
    Machine,
    Machine.of({
      managerId,
      directory,
      socketPath: "/m/workers.sock",
      keepLogs: () => Effect.void,
      startWorker: (process) =>
        new Worker.Worker({
          host,
          slot: Number(process.env["MUSTER_WORKER_SLOT"]),
          process,
          answers: () => answers,
          executions,
          nature
        })
    })
  )
  // With a manager go its workers, so everything of the sessions before is gone.
  const instances = Layer.succeed(Instances, {
    next: Effect.sync(() => {
      const gone = [...disk.instances]
      const instance = crypto.randomUUID()
      disk.instances.push(instance)
      return { instance, gone }
    })
  })
  const config = ManagerConfig.layer({
    urls: coordinators.map((name) => `ws://${name}:7117`),
    token: Redacted.make("token"),
    name: host.name,
    tags,
    labels: [],
    workers,
    directory: directory.root,
    workerCommand: ["worker"],
    handlers: ""
  })
  const line = Layer.succeed(Connection.Open, (url, token) => {
    const to = { name: new URL(url).hostname, port: managersPort, openTimeout }
    const opened = Connection.over(
      Layer.sync(Socket, () => Sockets.client(network, host, to)),
      token
    )
    return Effect.map(opened, (client) => Planted.intoClient(options.plant, client))
  })
  const layer = WorkerServer.answers.pipe(
    Layer.provideMerge(RealManager.parts),
    Layer.provideMerge(Journal.layer({ directory: directory.journal, limit: 1024 ** 2, files: disk.journal })),
    Layer.provideMerge(Layer.mergeAll(machine, config, line, instances))
  )
  const program = Effect.gen(function* () {
    answers = yield* Worker.answers
    const shutdown = yield* Shutdown
    stop = () => host.post(() => shutdown.request("graceful"))
    yield* RealManager.live({})
  }).pipe(Effect.scoped, Effect.provide(layer))
  // However it ends, its process ends with it.
  host.post(() => host.fork(program, () => host.kill()))
  return { host, stop: () => stop() }
}
