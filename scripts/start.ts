/**
 * What `npm start` runs: all of Muster on this machine (as `muster dev` starts it), then its main job on real input, one
 * `sha256sum` for every file under node_modules/effect. Each recorded output is compared with a hash computed here. Then
 * it keeps serving until Ctrl-C; `npm start -- --exit` stops after the summary and ends 0 only if all is right.
 */
import { Clock, Deferred, Effect, Exit, Fiber, Option, Stream } from "effect"
import type { Scope } from "effect"
import { createHash } from "node:crypto"
import { readdir, readFile } from "node:fs/promises"
import { availableParallelism } from "node:os"
import { join, relative } from "node:path"
import { fileURLToPath } from "node:url"
import { parseArgs } from "node:util"
import { MusterClient } from "@muster/client/MusterClient"
import * as Profile from "@muster/client/Profile"
import * as Dev from "@muster/cli/dev/Dev"
import * as Describe from "@muster/cli/dev/Describe"
import * as DevState from "@muster/cli/dev/DevState"
import * as Failure from "@muster/cli/Failure"
import * as Progress from "@muster/cli/Progress"
import * as Screen from "@muster/cli/Screen"
import * as Show from "@muster/cli/Show"
import * as Style from "@muster/cli/Style"
import type { TaskResult } from "@muster/domain/Suite/View"

const root = fileURLToPath(new URL("..", import.meta.url))
const subject = join(root, "node_modules", "effect")
const entry = join(root, "packages", "cli", "bin", "muster.js")
const defaultPort = 7117
/** Files that are hashed here at once, to compare. */
const readers = 8
const shownSlowest = 5
const shownWrong = 10

const { values: options } = parseArgs({
  options: {
    exit: { type: "boolean", default: false },
    "data-dir": { type: "string" },
    port: { type: "string", default: String(defaultPort) },
    workers: { type: "string", default: String(availableParallelism()) }
  }
})

const wholeNumber = (name: string, text: string, minimum: number, maximum: number) =>
  /^\d+$/.test(text) && Number(text) >= minimum && Number(text) <= maximum
    ? Effect.succeed(Number(text))
    : Effect.fail(Failure.usage(`--${name} is ${JSON.stringify(text)}; allowed: ${minimum} to ${maximum}`))

/** All of Muster, running until the scope closes; or what runs on the data directory already. */
const startMuster = Effect.gen(function* (): Effect.fn.Return<
  DevState.Info,
  Failure.CommandFailed | Profile.ProfileUnusable,
  Scope.Scope
> {
  const dataDir = options["data-dir"] ?? Profile.dataDirectory(process.env)
  const running = yield* DevState.read(dataDir)
  if (Option.isSome(running) && running.value.ready) {
    yield* Screen.note("start: `muster dev` is running already and is used")
    return yield* Dev.info(running.value)
  }
  yield* Screen.note(`start: starting Muster, its data is in ${dataDir}`)
  return yield* Dev.start({
    dataDir,
    host: "127.0.0.1",
    port: yield* wholeNumber("port", options.port, 0, 65_535),
    workers: yield* wholeNumber("workers", options.workers, 1, 256),
    handlers: undefined,
    databaseUrl: process.env["MUSTER_DATABASE_URL"] || undefined,
    entry,
    say: (line) => Screen.note(`start: ${line}`)
  })
})

const listFiles = Effect.promise(async () => {
  const entries = await readdir(subject, { recursive: true, withFileTypes: true })
  return entries
    .filter((file) => file.isFile())
    .map((file) => join(file.parentPath, file.name))
    .toSorted()
})

interface Outcome {
  readonly file: string
  readonly result: TaskResult | undefined
  readonly isRight: boolean
}

/** Whether a task has recorded what hashing the file here gives. */
const compare = (file: string, result: TaskResult | undefined) =>
  Effect.promise(async (): Promise<Outcome> => {
    const expected = createHash("sha256")
      .update(await readFile(file))
      .digest("hex")
    const isRight = result?.state === "succeeded" && result.stdout === `${expected}  ${relative(root, file)}\n`
    return { file, result, isRight }
  })

/** Submits a task for each file and follows them to the end. */
const runJob = Effect.fn("start.runJob")(function* (files: ReadonlyArray<string>) {
  const client = yield* MusterClient
  const started = yield* Clock.currentTimeMillis
  const { id } = yield* client.createSuite({ name: "sha256sum of node_modules/effect", defaults: { cwd: root } })
  const results = new Map<number, TaskResult>()
  yield* Effect.scoped(
    Effect.gen(function* () {
      const progress = yield* Progress.make
      yield* client.submit(
        id,
        files.map((file) => ({ program: "sha256sum", args: [relative(root, file)] }))
      )
      yield* client.closeSuite(id)
      const collect = Stream.runForEach(client.results(id), (result) =>
        Effect.sync(() => void results.set(result.index, result))
      )
      const follow = Stream.runForEach(client.watch(id, { interval: 100 }), progress.update)
      yield* Effect.all([collect, follow], { concurrency: 2, discard: true })
    })
  )
  return { suite: yield* client.getSuite(id), results, elapsed: (yield* Clock.currentTimeMillis) - started }
})

const quantile = (sorted: ReadonlyArray<number>, part: number): number =>
  sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))] ?? 0

/** Runs the job, checks it and prints what came of it. Answers whether all is right. */
const job = Effect.gen(function* () {
  const { out } = yield* Screen.Screen
  const paint = Style.paint(out)
  const files = yield* listFiles
  yield* Screen.note(`start: a sha256sum for each of ${Show.count(files.length)} files under node_modules/effect`)
  const { elapsed, results, suite } = yield* runJob(files)
  const outcomes = yield* Effect.forEach(files, (file, place) => compare(file, results.get(place)), {
    concurrency: readers
  })
  const wrong = outcomes.filter(({ isRight }) => !isRight)
  const times = [...results.values()].map(({ duration }) => duration ?? 0).toSorted((a, b) => a - b)
  const slowest = outcomes
    .toSorted((a, b) => (b.result?.duration ?? 0) - (a.result?.duration ?? 0))
    .slice(0, shownSlowest)
  const isRight = wrong.length === 0 && suite.tasks.total === files.length
  const checked = isRight ? paint("green", "all right") : paint("red", `${Show.count(wrong.length)} wrong`)
  const lines = [
    "",
    `suite       ${suite.id} (${suite.state})`,
    `tasks       ${Show.count(suite.tasks.total)}`,
    `failures    ${Show.count(suite.tasks.failed + suite.tasks.cancelled)}`,
    `outputs     ${Show.count(outcomes.length)} compared with hashes computed here: ${checked}`,
    `throughput  ${Show.rate(suite.tasks.total / (elapsed / 1_000))} tasks/s (${Show.duration(elapsed)} from the first submission to the last result)`,
    `task time   p50 ${Show.duration(quantile(times, 0.5))}, p99 ${Show.duration(quantile(times, 0.99))}`,
    "slowest",
    ...slowest.map(
      ({ file, result }) => `  ${Show.duration(result?.duration ?? null).padStart(8)}  ${relative(root, file)}`
    ),
    ...wrong.slice(0, shownWrong).map(({ file, result }) => {
      const said = result === undefined ? "no result" : `${result.state}: ${JSON.stringify(result.stdout)}`
      return paint("red", `wrong: ${relative(root, file)} (${said})`)
    }),
    ""
  ]
  yield* out.write(`${lines.join("\n")}\n`)
  return isRight
})

const program = Effect.gen(function* () {
  const { out } = yield* Screen.Screen
  const info = yield* startMuster
  const { token } = yield* Profile.read(info.dataDir)
  const isRight = yield* job.pipe(Effect.provide(MusterClient.layer({ url: info.url, token: token ?? "" })))
  if (options.exit) return isRight ? 0 : 1
  const paint = Style.paint(out)
  const lines = [...Describe.status(info, paint), "", "Try in another terminal:", ...Describe.suggestions(info, paint)]
  yield* out.write(`${lines.join("\n")}\n\nCtrl-C stops all of it.\n`)
  return yield* Effect.never
})

const stopping = Deferred.makeUnsafe<number>()
let signals = 0
const onSignal = () => {
  // The kernel ends the children with this process; nothing that was accepted is lost.
  if (++signals > 1) process.exit(130)
  process.stderr.write("\nstart: stopping; Ctrl-C again does not wait\n")
  Deferred.doneUnsafe(stopping, Effect.succeed(options.exit ? 130 : 0))
}
process.on("SIGINT", onSignal)
process.on("SIGTERM", onSignal)

const fiber = Effect.runFork(Effect.scoped(Effect.raceFirst(program, Deferred.await(stopping))))
const exit = await Effect.runPromise(Fiber.await(fiber))
if (Exit.isFailure(exit)) {
  const { advice, exitCode, line } = Failure.describeCause(exit.cause)
  console.error(`start: ${line ?? "interrupted"}`)
  if (advice !== undefined) console.error(`       ${advice}`)
  process.exit(exitCode)
}
process.exit(exit.value)
