/**
 * A manager as far as a worker can see: serves the real protocol on a real socket and starts real worker processes.
 */
import { spawn } from "node:child_process"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import type { Duplex } from "node:stream"
import { fileURLToPath } from "node:url"
import * as NodeSocketServer from "@effect/platform-node/NodeSocketServer"
import { Deferred, Effect, Layer, Queue, Stream } from "effect"
import * as RpcServer from "effect/rpc/RpcServer"
import { ManagerId } from "@muster/domain/Manager/Id"
import * as Serialization from "@muster/domain/Rpc/Serialization"
import { WorkerRpcs } from "@muster/domain/Rpc/WorkerRpcs"
import type { Returned, WorkerDirective } from "@muster/domain/Rpc/WorkerRpcs"
import type { WorkItem, WorkResult } from "@muster/domain/Rpc/WorkLists"
import { SuiteId } from "@muster/domain/Suite/Id"
import type { AttemptResult, TaskDefaults, TaskSpec } from "@muster/domain/Task"
import type { Announcement } from "../../src/Executor.ts"
import type { StartedItem } from "../../src/TaskSource.ts"

const main = fileURLToPath(new URL("../../src/main.ts", import.meta.url))

export const managerId = ManagerId.make("0123456789abcdef")
export const suiteId = SuiteId.make("abcdefgh12345678")

export interface Exit {
  readonly exitCode: number | null
  readonly signal: NodeJS.Signals | null
}

export interface WorkerHandle {
  readonly pid: number
  /** When the process has ended. */
  readonly exited: Effect.Effect<Exit>
  /** When nothing of it is left: the end of its lifeline. */
  readonly gone: Effect.Effect<void>
  readonly kill: (signal: NodeJS.Signals) => void
  /** What the worker sees when its manager's process dies. */
  readonly closeStdin: () => void
  /** What it printed. */
  readonly output: () => string
}

/** Starts a manager. Its directory, its server and its workers end with the scope. */
export const make = Effect.gen(function* () {
  const directory = yield* Effect.acquireRelease(
    Effect.sync(() => mkdtempSync(join(tmpdir(), "muster-worker-"))),
    (path) => Effect.sync(() => rmSync(path, { recursive: true, force: true, maxRetries: 5 }))
  )
  const socket = join(directory, "socket")
  const logDir = join(directory, "logs")
  const workDir = join(directory, "work")

  const directives = yield* Queue.unbounded<WorkerDirective>()
  const attached = yield* Deferred.make<ReadonlyArray<Announcement>>()
  const started: Array<StartedItem> = []
  const returned: Array<Returned> = []
  const results = new Map<string, AttemptResult>()
  const watchers = new Set<() => void>()
  const items: Array<WorkItem> = []
  /** What was handed out, by index and attempt. */
  const given = new Map<string, WorkItem>()
  const asking: Array<() => void> = []
  let beats = 0
  let lastBeat = performance.now()
  let calls = 0
  let limit = Number.POSITIVE_INFINITY
  let commandLimit = 1

  const record = (ended: ReadonlyArray<WorkResult>) => {
    for (const { result } of ended) {
      const key = `${result.index}.${result.attempt}`
      if (results.has(key)) throw new Error(`the result of ${key} came twice`)
      results.set(key, result)
    }
    for (const check of watchers) check()
  }

  /** As the real one: commands, as many as are said to be short, or several handler tasks at a time. */
  const take = (max: number): Array<WorkItem> => {
    const [first] = items
    if (first === undefined) return []
    const isOther = ({ spec }: WorkItem) => "program" in spec !== "program" in first.spec
    const count = items.findIndex(isOther)
    const most = Math.min(max, "program" in first.spec ? commandLimit : limit)
    const taken = items.splice(0, Math.min(most, count < 0 ? items.length : count))
    for (const item of taken) given.set(`${item.index}.${item.attempt}`, item)
    return taken
  }

  const answerAll = () => {
    for (const answer of asking.splice(0)) answer()
  }

  const handlers = WorkerRpcs.toLayer({
    Attach: ({ handlers: announced }) => {
      Deferred.doneUnsafe(attached, Effect.succeed(announced))
      return Stream.fromQueue(directives)
    },
    Next: ({ ended, max }) =>
      Effect.suspend(() => {
        calls++
        record(ended)
        const taken = take(max)
        if (taken.length > 0) return Effect.succeed(taken)
        return Effect.callback<Array<WorkItem>>((resume) => {
          const answer = () => resume(Effect.sync(() => take(max)))
          asking.push(answer)
          return Effect.sync(() => {
            const place = asking.indexOf(answer)
            if (place >= 0) asking.splice(place, 1)
          })
        })
      }),
    Ended: ({ ended }) => Effect.sync(() => record(ended)),
    GiveBack: ({ items: back }) =>
      Effect.sync(() => {
        returned.push(...back)
        for (const { attempt, index } of back.toReversed()) {
          const item = given.get(`${index}.${attempt}`)
          if (item === undefined) throw new Error(`${index}.${attempt} was given back but never handed out`)
          items.unshift(item)
        }
        answerAll()
        for (const check of watchers) check()
      }),
    Started: (told) => Effect.sync(() => started.push(...told.items)).pipe(Effect.asVoid),
    Beat: () =>
      Effect.sync(() => {
        beats++
        lastBeat = performance.now()
      })
  })

  yield* Layer.build(
    RpcServer.layer(WorkerRpcs, { disableTracing: true }).pipe(
      Layer.provide(handlers),
      Layer.provide(RpcServer.layerProtocolSocketServer),
      Layer.provide([Serialization.layer, NodeSocketServer.layer({ path: socket })])
    )
  )

  /** Queues tasks; they go to the worker when it asks. */
  const add = (specs: ReadonlyArray<TaskSpec>, options: { readonly from?: number; readonly attempt?: number } = {}) =>
    Effect.sync(() => {
      specs.forEach((spec, place) =>
        items.push({ suiteId, index: (options.from ?? 0) + place, attempt: options.attempt ?? 1, spec })
      )
      answerAll()
    })

  const tell = (directive: WorkerDirective) => Effect.asVoid(Queue.offer(directives, directive))

  const waitFor = <A>(look: () => A | undefined): Effect.Effect<A> =>
    Effect.callback<A>((resume) => {
      const check = () => {
        const found = look()
        if (found === undefined) return
        watchers.delete(check)
        resume(Effect.succeed(found))
      }
      watchers.add(check)
      check()
    })

  const environment = (slot = 0) => ({
    ...process.env,
    MUSTER_WORKER_SOCKET: socket,
    MUSTER_WORKER_SLOT: String(slot),
    MUSTER_MANAGER_ID: managerId,
    MUSTER_LOG_DIR: logDir,
    MUSTER_WORK_DIR: workDir
  })

  const start = (
    options: {
      readonly env?: Record<string, string>
      readonly slot?: number
      readonly main?: string
      readonly nodeArgs?: ReadonlyArray<string>
    } = {}
  ) =>
    Effect.acquireRelease(
      Effect.sync((): WorkerHandle => {
        const child = spawn(process.execPath, [...(options.nodeArgs ?? []), options.main ?? main], {
          env: { ...environment(options.slot), ...options.env },
          stdio: ["pipe", "pipe", "pipe", "pipe"]
        })
        let output = ""
        for (const stream of [child.stdout, child.stderr]) {
          stream.setEncoding("utf8").on("data", (text: string) => {
            output += text
          })
        }
        child.stdin.on("error", () => {})
        const lifeline = child.stdio[3] as Duplex // asked for with "pipe" above
        lifeline.on("error", () => {}).resume()
        const exited = Deferred.makeUnsafe<Exit>()
        const gone = Deferred.makeUnsafe<void>()
        child.once("exit", (exitCode, signal) => Deferred.doneUnsafe(exited, Effect.succeed({ exitCode, signal })))
        lifeline.once("end", () => Deferred.doneUnsafe(gone, Effect.void))
        lifeline.once("close", () => Deferred.doneUnsafe(gone, Effect.void))
        return {
          pid: child.pid ?? 0,
          exited: Deferred.await(exited),
          gone: Deferred.await(gone),
          kill: (signal) => void child.kill(signal),
          closeStdin: () => child.stdin.end(),
          output: () => output
        }
      }),
      (worker) =>
        Effect.gen(function* () {
          worker.kill("SIGKILL")
          yield* worker.gone
        })
    )

  return {
    directory,
    environment,
    logDir,
    workDir,
    attached: Deferred.await(attached),
    useSuite: (defaults: TaskDefaults = {}, suite: SuiteId = suiteId) =>
      tell({ _tag: "UseSuite", suiteId: suite, defaults }),
    tell,
    /** Breaks the stream that ties the worker to its manager. */
    detach: Queue.shutdown(directives),
    add,
    /** Most items to answer a call with. */
    setLimit: (most: number) => Effect.sync(() => void (limit = most)),
    /** Most commands to answer a call with. */
    setCommandLimit: (most: number) => Effect.sync(() => void (commandLimit = most)),
    /** Answers what waits with nothing. */
    dismiss: Effect.sync(answerAll),
    result: (index: number, attempt = 1) => waitFor(() => results.get(`${index}.${attempt}`)),
    resultsReached: (count: number) => waitFor(() => (results.size >= count ? true : undefined)),
    results,
    started,
    /** Items that the worker gave back. */
    returned,
    returnedReached: (count: number) => waitFor(() => (returned.length >= count ? true : undefined)),
    beats: () => beats,
    /** Milliseconds since the last sign of life. */
    silence: () => performance.now() - lastBeat,
    calls: () => calls,
    /** Items that no worker has taken. */
    pending: () => items.length,
    start
  }
})

export type TestManager = Effect.Success<typeof make>
