/**
 * What a task could do to the manager that it runs under: it is the same user, so it can call the socket for workers. And
 * the other way round: what the program that starts commands makes of messages that are none.
 */
import { spawn } from "node:child_process"
import { readFileSync } from "node:fs"
import { connect } from "node:net"
import type { Socket } from "node:net"
import { join } from "node:path"
import type { Duplex } from "node:stream"
import { fileURLToPath } from "node:url"
import { Effect } from "effect"
import * as fc from "fast-check"
import * as Process from "../../test/e2e/support/Process.ts"
import * as System from "../../test/e2e/support/System.ts"
import * as Wait from "../../test/e2e/support/Wait.ts"
import { changed, damaged, nastyValue, noise, sample } from "../Inputs.ts"
import * as Memory from "../Memory.ts"
import { assertNoBug, violated } from "../Target.ts"
import type { Target } from "../Target.ts"

const suiteId = "1m7xsk1ryjnaaa19"

const requests: Readonly<Record<string, unknown>> = {
  Attach: { slot: 0, pid: 1, handlers: [{ name: "h", concurrency: 2 }] },
  Next: { slot: 0, max: 10, ended: [[suiteId, [[0, 1, 0, 1_760_000_000_000, 12.5]]]] },
  Started: { slot: 0, items: [{ suiteId, index: 0, attempt: 1, startedAt: 1_760_000_000_000, pid: 1 }] },
  Beat: { slot: 0 },
  Ended: { slot: 1, ended: [[suiteId, [[0, 1, 0, 1_760_000_000_000, 12.5, { stdout: "x" }]]]] },
  GiveBack: { slot: 0, items: [{ suiteId, index: 0, attempt: 1, mayHaveBegun: false }] }
}

const text = (value: unknown): string => JSON.stringify(value) ?? "null"

const request = fc
  .tuple(fc.constantFrom(...Object.keys(requests)), fc.integer({ min: 1, max: 1_000 }))
  .map(([tag, id]) => ({ _tag: "Request", id: String(id), tag, payload: requests[tag], headers: [] }))

const frame = fc.oneof(
  {
    weight: 4,
    arbitrary: request.chain((good) => changed(good.payload).map((payload) => `${text({ ...good, payload })}\n`))
  },
  { weight: 2, arbitrary: request.chain((good) => changed(good).map((value) => `${text(value)}\n`)) },
  { weight: 1, arbitrary: request.map((good) => `${text(good)}\n`) },
  { weight: 3, arbitrary: request.chain((good) => damaged(Buffer.from(`${text(good)}\n`))) },
  { weight: 1, arbitrary: nastyValue.map((value) => `${text(value)}\n`) },
  { weight: 1, arbitrary: noise }
)
const frames = fc.array(frame, { minLength: 1, maxLength: 4 })

/** Good calls of a slot that there is not: the answer is the proof that the manager has not stuck. */
const probe = (id: string) => text({ _tag: "Request", id, tag: "Beat", payload: { slot: 999 }, headers: [] })

const runsTasks = async (client: Effect.Success<ReturnType<System.System["client"]>>) => {
  const done = await Effect.runPromise(
    Effect.gen(function* () {
      const suite = yield* client.createSuite({})
      yield* client.submit(suite.id, [{ program: "true" }, { program: "true" }])
      yield* client.closeSuite(suite.id)
      return yield* client.wait(suite.id, { timeout: "15 seconds" })
    })
  )
  if (done.tasks.succeeded !== 2) violated("tasks do not run any more", text(done.tasks))
}

export const workerSocket: Target = {
  name: "worker-socket",
  what: "calls to a manager's socket for workers, as a task could make them",
  weight: 12,
  checkEvery: 200,
  open: Effect.gen(function* () {
    const system = yield* System.make
    const coordinator = yield* system.coordinator()
    const manager = yield* system.manager({ urls: [coordinator.url], workers: 2 })
    const client = yield* system.client(coordinator.url)
    const path = join(manager.directory, "workers.sock")
    yield* Wait.until(
      "tasks run",
      Effect.exit(Effect.tryPromise(() => runsTasks(client))),
      ({ _tag }) => _tag === "Success"
    )
    let read = manager.output().length

    const converse = (sent: ReadonlyArray<string | Uint8Array>, id: string) =>
      new Promise<string>((resolve) => {
        const socket: Socket = connect(path)
        let heard = ""
        socket.on("data", (data) => {
          heard += data.toString()
          if (heard.includes(`"requestId":"${id}"`)) socket.destroy()
        })
        socket.on("error", () => undefined)
        // In a packet of its own and again, since what is wrong with a line takes the others of its packet along.
        const asking = setInterval(() => socket.write(`\n${probe(id)}\n`), 2)
        socket.on("close", () => {
          clearInterval(asking)
          resolve(heard)
        })
        for (const one of sent) socket.write(one)
      })

    return {
      run: async (seed) => {
        const id = String(1_000_000_000 + (seed % 1_000_000_000))
        const heard = await converse(sample(frames, seed), id)
        assertNoBug(heard)
        if (heard.includes(`"requestId":"${id}"`)) return
        const again = await converse([], id)
        if (!again.includes(`"requestId":"${id}"`)) violated("no answer to a good call afterwards", again)
      },
      check: async () => {
        const output = manager.output()
        const error = /.*(?:ERROR|FATAL)[^]*/.exec(output.slice(read))?.[0]
        read = output.length
        if (error !== undefined) violated("the manager's log", error)
        if (!Process.isAlive(manager.pid)) violated("the manager has ended", output)
        await runsTasks(client)
      },
      memory: () => Memory.of(manager.pid)
    }
  })
}

/** As `launcher.c` has it: length, kind, body. */
const message = (kind: string, body: string): Buffer => {
  const bytes = Buffer.from(`\0\0\0\0${kind}${body}`, "latin1")
  bytes.writeUInt32LE(bytes.length - 4, 0)
  return bytes
}

const goodMessages = Buffer.concat([
  message("E", "PATH=/usr/bin\0A=b\0"),
  message("D", "/nonexistent-for-the-launcher\0"),
  message("R", "\x01\0\0\x000true\0p/bin/true\0d/\0t50\0ax\0eA=c\0"),
  message("W", ""),
  message("L", "")
])

const binary = fileURLToPath(
  new URL(`../../packages/worker/launcher/${process.platform}-${process.arch}`, import.meta.url)
)

/** Milliseconds. A command of the message may run: it is `true`, or there is no such program. */
const launcherLimit = 5_000

export const launcher: Target = {
  name: "launcher",
  what: "messages to the program that starts commands",
  weight: 4,
  checkEvery: 1_000,
  open: Effect.map(Process.directory("fuzz-launcher"), (directory) => ({
    run: (seed) =>
      new Promise<void>((resolve, reject) => {
        const bytes = sample(
          fc.oneof({ weight: 4, arbitrary: damaged(goodMessages) }, { weight: 1, arbitrary: noise }),
          seed
        )
        const current = join(directory, "current")
        const child = spawn(binary, ["1", String(process.pid), current], {
          env: {},
          cwd: "/",
          stdio: ["ignore", "pipe", "pipe", "pipe"]
        })
        const channel = child.stdio[3] as Duplex // asked for with "pipe" above
        const timer = setTimeout(() => {
          child.kill("SIGKILL")
          reject(violationOf("it does not end when its worker does"))
        }, launcherLimit)
        channel.on("error", () => undefined)
        channel.resume()
        child.on("error", reject)
        child.on("exit", (_code, signal) => {
          clearTimeout(timer)
          // It kills itself with what it has started; anything else came from a bug.
          if (signal !== null && signal !== "SIGKILL" && signal !== "SIGTERM")
            reject(violationOf(`it ended by ${signal}`))
          else resolve()
        })
        channel.write(bytes)
        channel.end()
      }),
    check: () => {
      readFileSync(binary)
      return Promise.resolve()
    },
    memory: Memory.here
  }))
}

const violationOf = (what: string): Error => {
  try {
    return violated(what)
  } catch (error) {
    return error instanceof Error ? error : new Error(what)
  }
}
