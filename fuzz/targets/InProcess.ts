/**
 * Targets that are functions of this process: readers of files and of packed values.
 */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { Effect, Exit, Option, References, Result, Schema } from "effect"
import * as fc from "fast-check"
import { stringify } from "yaml"
import { parse } from "@muster/cli/TaskFile"
import * as Failure from "@muster/cli/Failure"
import { decodeTasks } from "@muster/client/Input"
import * as Profile from "@muster/client/Profile"
import { Epoch } from "@muster/domain/Manager/Id"
import { unpackAll } from "@muster/domain/Task/Packed"
import type { AttemptResult } from "@muster/domain/Task/Attempt"
import { SuiteId } from "@muster/domain/Suite/Id"
import { WorkResults } from "@muster/domain/Rpc/WorkLists"
import * as Journal from "@muster/manager/Journal"
import * as JournalRecord from "@muster/manager/JournalRecord"
import { changed, damaged, nastyValue, noise, sample } from "../Inputs.ts"
import * as Memory from "../Memory.ts"
import { assertNoBug, show, violated } from "../Target.ts"
import type { Target } from "../Target.ts"

const nothingToCheck = () => Promise.resolve()

const directory = Effect.acquireRelease(
  Effect.sync(() => mkdtempSync(join(tmpdir(), "muster-fuzz-"))),
  (path) => Effect.sync(() => rmSync(path, { recursive: true, force: true }))
)

/** What an effect that reads something came to: a value, or an error that a user can read in one line. */
const settled = async <A, E>(effect: Effect.Effect<A, E>): Promise<Option.Option<A>> => {
  const exit = await Effect.runPromiseExit(effect)
  if (Exit.isSuccess(exit)) return Option.some(exit.value)
  const error = Exit.findErrorOption(exit)
  if (Option.isNone(error)) return violated("it ended with a defect", exit.cause)
  const { line } = Failure.describe(error.value)
  if (line === undefined || line.trim() === "" || /[\n\r]/.test(line)) violated("the error is not one line", line)
  assertNoBug(line ?? "")
  return Option.none()
}

const goodFile = {
  suite: { name: "nightly", labels: ["reports"], defaults: { timeout: "5m", retry: { limit: 2, backoff: "10s" } } },
  tasks: [
    { program: "wc", args: ["-l", "/tmp/a.txt"], env: { A: "b" }, cwd: "/", stdin: "x", priority: 3 },
    { handler: "resize", input: { width: 3, name: "x" }, retry: { limit: 0 }, labels: ["flaky"] }
  ]
}

const aliases = (depth: number): string =>
  ["a: &a0 [x]", ...Array.from({ length: depth }, (_, k) => `b${k}: &a${k + 1} [*a${k},*a${k},*a${k},*a${k}]`)].join(
    "\n"
  )

/** What is too deep to be written is not too deep to be read. */
const toYaml = (value: unknown): string => {
  try {
    return stringify(value)
  } catch {
    return JSON.stringify(value)
  }
}

const fileTexts: fc.Arbitrary<string> = fc.oneof(
  changed(goodFile).map((value) => JSON.stringify(value) ?? ""),
  changed(goodFile).map(toYaml),
  damaged(Buffer.from(JSON.stringify(goodFile, undefined, 1))).map((bytes) => bytes.toString("utf8")),
  damaged(Buffer.from(stringify(goodFile))).map((bytes) => bytes.toString("utf8")),
  damaged(Buffer.from(goodFile.tasks.map((task) => JSON.stringify(task)).join("\n"))).map((bytes) => bytes.toString()),
  fc.string({ unit: "binary", maxLength: 200 }),
  fc.integer({ min: 1, max: 30 }).map(aliases),
  fc.constantFrom(
    "- ? !!binary x",
    "!!js/function 'x'",
    "<<: *a",
    "%YAML 9.9\n---",
    "--- |\n",
    "a: !!set {b}",
    "? ? ? ?"
  )
)

export const taskFiles: Target = {
  name: "task-files",
  what: "suite files in JSON, JSON lines and YAML, and the check of their tasks",
  weight: 8,
  checkEvery: 1_000,
  open: Effect.succeed({
    run: async (seed) => {
      const text = sample(fileTexts, seed)
      const format = sample(fc.constantFrom("json", "jsonl", "yaml", undefined), seed)
      const contents = await settled(parse("tasks.yaml", text, format))
      if (Option.isNone(contents)) return
      await settled(Effect.fromResult(decodeTasks(contents.value.tasks, 0)))
    },
    check: nothingToCheck,
    memory: Memory.here
  })
}

const suiteId = SuiteId.make("1m7xsk1ryjnaaa19")

const result = (index: number): AttemptResult => ({
  index,
  attempt: 1,
  outcome: index % 2 === 0 ? "succeeded" : "failed",
  startedAt: 1_760_000_000_000,
  finishedAt: 1_760_000_000_012,
  duration: 12.25,
  exitCode: index % 2,
  stdout: "out\n",
  stderr: ""
})

const goodReport = (place: number): JournalRecord.Report => ({
  commandId: `command-${place}`,
  suiteId,
  epoch: Epoch.make(3),
  ended: [result(place), result(place + 1)]
})
const goodReports = Array.from({ length: 5 }, (_, place) => goodReport(place))
const goodSegment = Buffer.concat(goodReports.map(JournalRecord.encode))
const asText = (report: JournalRecord.Report) => Buffer.from(JournalRecord.encode(report)).toString("latin1")
const known = new Set(goodReports.map(asText))

export const journal: Target = {
  name: "journal",
  what: "a manager's journal: cut off, with bits turned, full of noise",
  weight: 10,
  checkEvery: 1_000,
  open: Effect.map(directory, (path) => ({
    run: async (seed) => {
      const bytes = sample(
        fc.oneof({ weight: 6, arbitrary: damaged(goodSegment) }, { weight: 1, arbitrary: noise }),
        seed
      )
      const file = join(path, "0000000001.journal")
      rmSync(path, { recursive: true, force: true })
      mkdirSync(path)
      writeFileSync(file, bytes)
      const use = Effect.gen(function* () {
        const opened = yield* Journal.make({ directory: path, limit: 2 ** 20 })
        // Nothing is made up: whatever is read was written so.
        for (const report of opened.earlier) {
          if (!known.has(asText(report))) violated("a report that nobody wrote", JSON.stringify(report))
        }
        // And it goes on working.
        const next = goodReport(9)
        yield* opened.append(next)
        yield* opened.acknowledge(next)
        return opened.earlier.length
      })
      await settled(Effect.scoped(use).pipe(Effect.provideService(References.MinimumLogLevel, "None")))
    },
    check: nothingToCheck,
    memory: Memory.here
  }))
}

const decodeWork = Schema.decodeUnknownResult(Schema.toCodecJson(WorkResults))
const encodeWork = Schema.encodeUnknownResult(Schema.toCodecJson(WorkResults))
const goodRows = [
  [0, 1, 0, 1_760_000_000_000, 12.25],
  [1, 1, 1, 1_760_000_000_000, 3, { exitCode: 3, stderr: "why" }],
  [2, 1, 5, null, null, { finishedAt: 1_760_000_000_000, message: "lost" }]
]
const goodWork = [[suiteId, goodRows]]

export const packed: Target = {
  name: "packed",
  what: "packed results and the lists between manager and worker",
  weight: 20,
  checkEvery: 1_000,
  open: Effect.succeed({
    run: (seed) => {
      const rows = sample(fc.oneof(changed(goodRows), nastyValue), seed)
      const results = unpackAll(rows)
      if (Result.isSuccess(results)) {
        for (const { attempt, finishedAt, index } of results.success) {
          if (![attempt, finishedAt, index].every(Number.isSafeInteger))
            violated("a result without its numbers", show(rows))
        }
      }
      const work = sample(fc.oneof(changed(goodWork), nastyValue), seed)
      const decoded = decodeWork(work)
      if (Result.isSuccess(decoded)) {
        // What was taken can be said again, and is the same then.
        const encoded = Result.getOrThrow(encodeWork(decoded.success))
        const again = Result.getOrThrow(decodeWork(JSON.parse(JSON.stringify(encoded))))
        if (JSON.stringify(again) !== JSON.stringify(decoded.success))
          violated("it changes on the way", JSON.stringify(work))
      } else assertNoBug(decoded.failure.message)
      return Promise.resolve()
    },
    check: nothingToCheck,
    memory: Memory.here
  })
}

const goodProfile = { url: "http://127.0.0.1:7117", token: "mst_admin_x", databaseUrl: "postgres://me:pw@h/d" }

export const profile: Target = {
  name: "profile",
  what: "the profile of the command line",
  weight: 4,
  checkEvery: 1_000,
  open: Effect.map(directory, (path) => ({
    run: async (seed) => {
      const bytes = sample(
        fc.oneof(
          damaged(Buffer.from(JSON.stringify(goodProfile))),
          changed(goodProfile).map((value) => Buffer.from(JSON.stringify(value) ?? "")),
          noise
        ),
        seed
      )
      writeFileSync(Profile.path(path), bytes)
      const read = await settled(Profile.read(path))
      if (Option.isNone(read)) return
      for (const value of Object.values(read.value))
        if (typeof value !== "string") violated("a setting is no text", value)
    },
    check: nothingToCheck,
    memory: Memory.here
  }))
}
