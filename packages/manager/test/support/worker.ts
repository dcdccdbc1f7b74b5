/**
 * A small worker that speaks the contract of a real one: handlers that do nothing, sleep, block the thread or kill the
 * process, and commands. What it runs dies with it, by the kernel's doing.
 */
import { NodeSocket } from "@effect/platform-node"
import { Effect, Layer, Schedule, Stream } from "effect"
import { RpcClient } from "effect/rpc"
import { spawn } from "node:child_process"
import type { ChildProcess } from "node:child_process"
import * as Serialization from "@muster/domain/Rpc/Serialization"
import { WorkerRpcs } from "@muster/domain/Rpc/WorkerRpcs"
import type { WorkItem, WorkResult } from "@muster/domain/Rpc/WorkerRpcs"
import { isCommand } from "@muster/domain/Task"
import type { AttemptResult } from "@muster/domain/Task"

const slot = Number(process.env["MUSTER_WORKER_SLOT"])
const path = process.env["MUSTER_WORKER_SOCKET"] ?? ""
const momentMillis = 100

const exit = (code: number) => process.exit(code)

// Nothing is ever sent on standard input: its end is the manager's.
process.stdin.on("close", () => exit(1)).resume()

const running = new Map<number, ChildProcess>()

const runHandler = (name: string, input: unknown): unknown => {
  switch (name) {
    case "noop":
      return input
    case "sleep":
      return new Promise((resolve) => setTimeout(resolve, Number(input)))
    case "block":
      for (;;) if (slot < 0) return undefined
    case "exit":
      return exit(Number(input))
    default:
      throw new Error(`no handler ${name}`)
  }
}

const runCommand = (item: WorkItem, program: string, args: ReadonlyArray<string>) =>
  new Promise<Partial<AttemptResult>>((resolve) => {
    const child = spawn("setpriv", ["--pdeathsig", "KILL", "--", program, ...args], {
      stdio: ["ignore", "pipe", "ignore"],
      env: { ...process.env, MUSTER_TASK_ID: `${item.suiteId}.${item.index}` }
    })
    running.set(item.index, child)
    let stdout = ""
    child.stdout.on("data", (data: Buffer) => (stdout += data.toString()))
    child.on("close", (code, signal) => {
      const isCancelled = !running.delete(item.index)
      const outcome = isCancelled ? "cancelled" : code === 0 ? "succeeded" : "failed"
      resolve({
        outcome,
        stdout,
        ...(code === null ? {} : { exitCode: code }),
        ...(signal === null ? {} : { signal })
      })
    })
  })

const program = Effect.gen(function* () {
  const client = yield* RpcClient.make(WorkerRpcs, { disableTracing: true })

  const run = (item: WorkItem) =>
    Effect.promise(async (): Promise<WorkResult> => {
      const { attempt, index, spec, suiteId } = item
      const startedAt = Date.now()
      const moment = setTimeout(() => {
        Effect.runFork(client.Started({ slot, items: [{ suiteId, index, attempt, startedAt }] }))
      }, momentMillis)
      const ended = isCommand(spec)
        ? await runCommand(item, spec.program, spec.args ?? [])
        : { output: (await runHandler(spec.handler, spec.input)) as AttemptResult["output"] } // inputs are JSON
      clearTimeout(moment)
      const { output, ...rest } = { output: undefined, ...ended }
      const result = { outcome: "succeeded" as const, ...rest, ...(output === undefined ? {} : { output }) }
      return { suiteId, result: { index, attempt, startedAt, finishedAt: Date.now(), ...result } }
    })

  const work = Effect.gen(function* () {
    let ended: Array<WorkResult> = []
    for (;;) {
      const items = yield* client.Next({ slot, max: 2_000, ended })
      ended = []
      for (const item of items) ended.push(yield* run(item))
    }
  })

  yield* Effect.forkChild(Effect.forever(Effect.andThen(Effect.sleep(500), client.Beat({ slot }))))
  yield* client.Attach({ slot, pid: process.pid, handlers: [{ name: "noop", concurrency: 1 }] }).pipe(
    Stream.runForEach((directive) =>
      Effect.sync(() => {
        if (directive._tag === "Stop" && running.size === 0) exit(0)
        if (directive._tag === "Cancel") {
          const child = running.get(directive.index)
          running.delete(directive.index)
          child?.kill("SIGTERM")
        }
      })
    ),
    Effect.raceFirst(work)
  )
}).pipe(
  Effect.provide(
    RpcClient.layerProtocolSocket({ retryPolicy: Schedule.recurs(0) }).pipe(
      Layer.provide(Serialization.layer),
      Layer.provide(NodeSocket.layerNet({ path }))
    )
  ),
  Effect.scoped
)

Effect.runPromiseExit(program).then(
  () => exit(1),
  () => exit(1)
)
