import { assert, layer } from "@effect/vitest"
import { Effect, Schedule, Stream } from "effect"
import type { SuiteId, TaskId } from "@muster/domain/Suite/Id"
import { taskId } from "@muster/domain/Suite/Id"
import type { TaskSpec } from "@muster/domain/Task/Spec"
import { client, send } from "./TestClient.ts"
import * as TestManager from "./TestManager.ts"
import * as TestServer from "./TestServer.ts"

/** A suite with tasks. */
const suiteOf = Effect.fnUntraced(function* (tasks: ReadonlyArray<TaskSpec>) {
  const { suites } = yield* client()
  const { id } = yield* suites.create({ headers: {}, payload: {} })
  yield* suites.submit({ params: { id }, headers: {}, payload: tasks })
  return id
})

const readLog = (id: TaskId, more = "") => send(`/v1/tasks/${id}/logs/stdout${more}`)

const first = (suiteId: SuiteId) => taskId(suiteId, 0)

layer(TestServer.layer, { excludeTestServices: true, timeout: "30 seconds" })("tasks over HTTP", (it) => {
  it.effect("are explained, now and as they were", () =>
    Effect.gen(function* () {
      const { tasks } = yield* client()
      const manager = yield* TestManager.connect()
      const suiteId = yield* suiteOf([{ program: "true" }])
      const id = first(suiteId)
      const before = yield* tasks.explain({ params: { id }, query: {} })
      assert.strictEqual(before.state, "queued")
      yield* TestManager.run(manager, suiteId, 1, () => ({ outcome: "failed", exitCode: 3, stderr: "oh\n" }))
      const after = yield* tasks.explain({ params: { id }, query: {} })
      assert.strictEqual(after.state, "failed")
      assert.include(after.sentences[0] ?? "", "its only attempt, on test machine, failed with exit code 3")
      assert.include(after.sentences[0] ?? "", "it has no retries")
      assert.strictEqual(after.attempts[0]?.stderr, "oh\n")
      // To the millisecond: what an explanation says of the past is what was said then.
      const again = yield* tasks.explain({ params: { id }, query: { at: before.at } })
      assert.deepStrictEqual([again.state, again.history], [before.state, before.history])
      const wrong = yield* send(`/v1/tasks/${id}/explanation?at=soon`)
      assert.strictEqual(wrong.status, 400)
      assert.deepStrictEqual(wrong.json, {
        error: {
          code: "InvalidInput",
          message: 'at is "soon"; allowed: a time such as 2026-11-24T18:20:00Z, or how long ago, such as 10m',
          details: {
            field: "at",
            value: '"soon"',
            expected: "a time such as 2026-11-24T18:20:00Z, or how long ago, such as 10m"
          },
          request_id: wrong.headers.get("x-request-id")
        }
      })
      assert.strictEqual((yield* send(`/v1/tasks/${suiteId}.7/explanation`)).status, 404)
    })
  )

  it.effect("show their spec and every attempt", () =>
    Effect.gen(function* () {
      const { tasks } = yield* client()
      const manager = TestManager.imaginary()
      const spec = {
        program: "sh",
        args: ["-c", "exit 3"],
        retry: { limit: 1, backoff: 0 },
        labels: ["x"],
        priority: 2
      }
      const suiteId = yield* suiteOf([{ program: "other" }, spec])
      const id = taskId(suiteId, 1)
      const queued = yield* tasks.get({ params: { id } })
      assert.deepInclude(queued, { state: "queued", index: 1, priority: 2, suiteId, manager: null })
      assert.deepStrictEqual(queued.spec, spec)
      assert.deepStrictEqual(queued.attempts, [])

      yield* TestManager.run(manager, suiteId, 1, () => ({
        outcome: "failed",
        exitCode: 3,
        stdout: "first\n",
        stderr: "oh\n",
        peakMemory: 1_000_000
      }))
      yield* TestManager.run(manager, suiteId, 1, () => ({
        outcome: "timed_out",
        signal: "SIGTERM",
        stdout: "second\n",
        message: "over its timeout"
      })).pipe(
        // The retry may be due a moment later.
        Effect.repeat({ until: (ended) => ended.length > 0, schedule: Schedule.spaced("10 millis") })
      )
      const failed = yield* tasks.get({ params: { id } })
      assert.deepInclude(failed, { state: "failed", outcome: "timed_out", stdout: "second\n", stderr: "" })
      assert.deepStrictEqual(
        failed.attempts.map(({ exitCode, number, outcome, peakMemory, signal, stderr, stdout }) => ({
          number,
          outcome,
          exitCode,
          signal,
          stdout,
          stderr,
          peakMemory
        })),
        [
          {
            number: 1,
            outcome: "failed",
            exitCode: 3,
            signal: null,
            stdout: "first\n",
            stderr: "oh\n",
            peakMemory: 1e6
          },
          {
            number: 2,
            outcome: "timed_out",
            exitCode: 0,
            signal: "SIGTERM",
            stdout: "second\n",
            stderr: "",
            peakMemory: null
          }
        ]
      )
      assert.isTrue(failed.attempts.every((attempt) => attempt.manager === manager.managerId && attempt.epoch === 1))
    })
  )

  it.effect("show an attempt that runs, and the ones before a lease that was given back", () =>
    Effect.gen(function* () {
      const { tasks } = yield* client()
      const manager = TestManager.imaginary()
      const suiteId = yield* suiteOf([{ program: "a" }])
      const [leased] = yield* TestManager.lease(manager, suiteId, 1)
      assert.isDefined(leased)
      const assigned = yield* tasks.get({ params: { id: first(suiteId) } })
      assert.deepInclude(assigned, { state: "assigned", manager: manager.managerId })
      yield* TestManager.report(manager, suiteId, [], [[0, 1, Date.now()]])
      const running = yield* tasks.get({ params: { id: first(suiteId) } })
      assert.strictEqual(running.state, "running")
      assert.deepInclude(running.attempts[0], { number: 1, outcome: null, finishedAt: null })
      assert.isNotNull(running.attempts[0]?.startedAt)
    })
  )

  it.effect("are cancelled and run again one by one", () =>
    Effect.gen(function* () {
      const { tasks } = yield* client()
      const suiteId = yield* suiteOf([{ program: "a" }, { program: "b" }])
      const request = { params: { id: first(suiteId) }, headers: {} }
      const cancelled = yield* tasks.cancel({ ...request, payload: { reason: "not needed" } })
      assert.deepInclude([cancelled.cancelledTasks, cancelled.suite.tasks.cancelled], 1)
      const again = yield* tasks.cancel({ ...request, payload: null })
      assert.strictEqual(again.cancelledTasks, 0)
      assert.strictEqual((yield* tasks.retry(request)).retriedTasks, 1)
      const other = { params: { id: taskId(suiteId, 1) }, headers: { "idempotency-key": "k" }, payload: null }
      yield* tasks.cancel({ ...other, params: request.params })
      assert.strictEqual((yield* tasks.cancel(other)).cancelledTasks, 1)
      yield* tasks.retry(request)
      const conflict = yield* Effect.flip(tasks.retry(request))
      assert.deepInclude(conflict, { _tag: "TaskStateConflict", state: "queued" })
    })
  )

  it.effect("give output that the result holds without asking the machine", () =>
    Effect.gen(function* () {
      const { tasks } = yield* client()
      const suiteId = yield* suiteOf([{ program: "a" }])
      yield* TestManager.run(TestManager.imaginary(), suiteId, 1, () => ({ stdout: "grüße\n", stderr: "" }))
      const whole = yield* readLog(first(suiteId))
      assert.deepStrictEqual([whole.status, whole.text], [200, "grüße\n"])
      assert.strictEqual(whole.headers.get("content-type"), "text/plain; charset=utf-8")
      assert.strictEqual((yield* readLog(first(suiteId), "?offset=4&limit=2")).text, "ß")
      assert.strictEqual((yield* readLog(first(suiteId), "?offset=100")).text, "")
      const stderr = yield* tasks.log({ params: { id: first(suiteId), stream: "stderr" }, query: {} })
      assert.strictEqual(yield* Stream.mkString(Stream.decodeText(stderr)), "")
    })
  )

  it.effect("give longer output from the machine, byte by byte", () =>
    Effect.gen(function* () {
      const log = Buffer.from(Array.from({ length: 2_500_000 }, (_, k) => k % 251))
      const manager = yield* TestManager.connect(({ attempt, index, stream }) =>
        index === 0 && attempt === 1 && stream === "stdout" ? log : undefined
      )
      const suiteId = yield* suiteOf([{ program: "a" }])
      yield* TestManager.run(manager, suiteId, 1, () => ({ stdout: "tail", stdoutBytes: log.length }))
      const { tasks } = yield* client()
      const params = { id: first(suiteId), stream: "stdout" } as const
      const bytes = (query: Parameters<typeof tasks.log>[0]["query"]) =>
        Effect.gen(function* () {
          const stream = yield* tasks.log({ params, query })
          return Buffer.concat(yield* Stream.runCollect(stream))
        })
      assert.isTrue(log.equals(yield* bytes({})))
      assert.isTrue(
        log.subarray(1_500_000, 1_500_007).equals(yield* bytes({ offset: 1_500_000, limit: 7, attempt: 1 }))
      )
      assert.isTrue(log.subarray(10).equals(yield* bytes({ offset: 10 })))
    })
  )

  it.effect("say when there is no output to read", () =>
    Effect.gen(function* () {
      const suiteId = yield* suiteOf([{ program: "a" }, { program: "b" }])
      const never = yield* readLog(first(suiteId))
      assert.strictEqual(never.status, 404)
      assert.include(never.text, '"code":"LogNotFound"')
      const manager = yield* TestManager.connect()
      yield* TestManager.run(manager, suiteId, 1, () => ({ stdout: "tail", stdoutBytes: 10_000 }))
      const lost = yield* readLog(first(suiteId))
      assert.include(lost.text, '"code":"LogNotFound"')
      assert.include((yield* readLog(first(suiteId), "?attempt=7")).text, '"code":"LogNotFound"')
      yield* TestManager.run(TestManager.imaginary(), suiteId, 1, () => ({ stdout: "bad \uFFFD" }))
      const gone = yield* send(`/v1/tasks/${taskId(suiteId, 1)}/logs/stdout`)
      assert.deepStrictEqual([gone.status, gone.text.includes("is not connected")], [409, true])
    })
  )
})
