import { assert, layer } from "@effect/vitest"
import { Effect, Fiber, Queue, Ref, Stream } from "effect"
import { randomUUID } from "node:crypto"
import { stream, taskId } from "@muster/domain/Suite/Id"
import type { SuiteId } from "@muster/domain/Suite/Id"
import type { TaskResult } from "@muster/domain/Suite/View"
import type { TaskSpec } from "@muster/domain/Task/Spec"
import { newManagerId, newSuiteId } from "../Http/TestIds.ts"
import * as TestManager from "../Http/TestManager.ts"
import * as TestServer from "../Http/TestServer.ts"
import { eventually } from "../support/Eventually.ts"
import { untilVisible } from "../support/Visible.ts"
import * as TestRpcClient from "./TestRpcClient.ts"

const command = { program: "true" } as const

const tasksOf = (count: number): ReadonlyArray<TaskSpec> => Array.from({ length: count }, () => command)

/** A suite with this many tasks. */
const suiteOf = Effect.fnUntraced(function* (count: number, task: TaskSpec = command) {
  const client = yield* TestRpcClient.make()
  const suiteId = newSuiteId()
  yield* client.CreateSuite({ suiteId, spec: {}, commandId: randomUUID() })
  if (count > 0) {
    yield* client.SubmitTasks({ suiteId, tasks: Array.from({ length: count }, () => task), commandId: randomUUID() })
  }
  return { client, suiteId }
})

const results = (suiteId: SuiteId, follow: boolean) =>
  Effect.flatMap(TestRpcClient.make(), (client) => Stream.runCollect(client.StreamResults({ suiteId, follow })))

const brief = ({ attempt, index, state }: TaskResult) => `${index}.${attempt} ${state}`

layer(TestServer.layer, { excludeTestServices: true, timeout: "30 seconds" })("client RPCs", (it) => {
  it.effect("create, fill and steer suites", () =>
    Effect.gen(function* () {
      const { client, suiteId } = yield* suiteOf(0)
      const commandId = "the same"
      const submit = client.SubmitTasks({ suiteId, tasks: tasksOf(3), commandId })
      assert.deepStrictEqual(yield* submit, { firstIndex: 0, count: 3 })
      assert.deepStrictEqual(yield* submit, { firstIndex: 0, count: 3 })
      const asked = { suiteId, commandId: "steer" }
      assert.isTrue((yield* client.PauseSuite({ ...asked, commandId: "pause" })).paused)
      assert.isFalse((yield* client.ResumeSuite({ ...asked, commandId: "resume" })).paused)
      const one = yield* client.CancelTasks({ ...asked, commandId: "cancel one", tasks: [2], reason: "no" })
      assert.strictEqual(one.cancelledTasks, 1)
      const again = yield* client.RetryTasks({ ...asked, commandId: "again", tasks: [2] })
      assert.strictEqual(again.retriedTasks, 1)
      assert.strictEqual((yield* client.CloseSuite({ ...asked, commandId: "close" })).state, "closed")
      const all = yield* client.CancelSuite({ ...asked, commandId: "cancel", mode: "force", reason: "enough" })
      assert.deepInclude([all.cancelledTasks, all.suite.tasks.cancelled], 3)
      const detail = yield* client.GetSuite({ suiteId })
      assert.deepInclude(detail, { id: suiteId, state: "cancelled" })
      const late = yield* Effect.flip(client.SubmitTasks({ suiteId, tasks: tasksOf(1), commandId: "late" }))
      assert.strictEqual(late._tag, "SuiteIsCancelled")
      const suites = yield* client.ListSuites({ states: ["cancelled"], limit: 10_000 })
      assert.isTrue(suites.items.some(({ id }) => id === suiteId))
    })
  )

  it.effect("answer questions about tasks, managers, workers, events and the server", () =>
    Effect.gen(function* () {
      const { client, suiteId } = yield* suiteOf(2)
      const manager = yield* TestManager.connect(() => Buffer.from("the whole output"))
      yield* TestManager.run(manager, suiteId, 1, () => ({ stdout: "output", stdoutBytes: 16 }))
      const tasks = yield* client.ListTasks({ suiteId, limit: 10_000 })
      assert.deepStrictEqual(
        tasks.items.map(({ state }) => state),
        ["succeeded", "queued"]
      )
      const id = taskId(suiteId, 0)
      assert.deepStrictEqual((yield* client.GetTask({ taskId: id })).spec, command)
      const explanation = yield* client.ExplainTask({ taskId: id, at: "0s" })
      assert.deepInclude(explanation, { id, state: "succeeded" })
      assert.match(explanation.sentences[0] ?? "", /^It succeeded (.* )?on test machine, at /)
      const log = yield* client.ReadTaskLog({ taskId: id, stream: "stdout", offset: 4, limit: 5 })
      assert.deepStrictEqual(
        [Buffer.from(log.data).toString(), log.size, log.ended, log.missing],
        ["whole", 16, true, false]
      )
      const none = yield* client.ReadTaskLog({ taskId: taskId(suiteId, 1), stream: "stdout", offset: 0, limit: 5 })
      assert.isTrue(none.missing)
      const { managerId } = manager
      assert.strictEqual((yield* client.GetManager({ managerId })).id, managerId)
      assert.isTrue((yield* client.ListManagers({})).items.some((found) => found.id === managerId))
      const drained = yield* client.DrainManager({ managerId, draining: true, commandId: "drain" })
      assert.isTrue(drained.draining)
      const unknown = yield* Effect.flip(client.GetManager({ managerId: newManagerId() }))
      assert.strictEqual(unknown._tag, "ManagerNotFound")
      assert.deepStrictEqual((yield* client.ListWorkers({ managerId })).items, [])
      const events = yield* client.ListEvents({ stream: stream(suiteId) })
      assert.deepStrictEqual(
        events.items.map(({ type }) => type),
        ["SuiteCreated", "TasksSubmitted", "TasksLeased", "AttemptsEnded"]
      )
      assert.strictEqual((yield* client.GetServerInfo()).version, "0.0.0")
    })
  )

  it.effect("make tokens that open the door until they are revoked", () =>
    Effect.gen(function* () {
      const client = yield* TestRpcClient.make()
      const { enrolment } = yield* TestServer.TestServer
      const made = yield* client.CreateToken({ name: "robot", role: "admin" })
      assert.strictEqual(
        (yield* Effect.flip(client.CreateToken({ name: "robot", role: "admin" })))._tag,
        "TokenNameTaken"
      )
      assert.isTrue((yield* client.ListTokens()).some(({ name }) => name === "robot"))
      const managersOnly = yield* TestRpcClient.make(enrolment)
      assert.strictEqual((yield* Effect.flip(managersOnly.ListTokens()))._tag, "Unauthorized")
      assert.notInclude(JSON.stringify(yield* client.ListTokens()), made.token)
      assert.isTrue(yield* client.RevokeToken({ name: "robot" }))
    })
  )

  it.effect("refuse input that is nested too deeply to be stored", () =>
    Effect.gen(function* () {
      const { client, suiteId } = yield* suiteOf(0)
      let input: ReadonlyArray<unknown> = []
      for (let depth = 0; depth < 300; depth++) input = [input]
      const tasks = [{ handler: "h" }, { handler: "h", input: JSON.parse(JSON.stringify(input)) }]
      const refused = yield* Effect.flip(client.SubmitTasks({ suiteId, tasks, commandId: "deep" }))
      assert.deepInclude(refused, { _tag: "InvalidInput", field: "tasks[1].input" })
    })
  )

  it.effect("give the results of a suite in the order in which they were decided, each once", () =>
    Effect.gen(function* () {
      const { client, suiteId } = yield* suiteOf(6, { ...command, retry: { limit: 1, backoff: 0, jitter: 0 } })
      const manager = TestManager.imaginary()
      yield* TestManager.run(manager, suiteId, 3, (index) => (index === 1 ? { outcome: "failed", exitCode: 1 } : {}))
      yield* client.CancelTasks({ suiteId, tasks: [4, 5], reason: "not these", commandId: "cancel" })
      yield* eventually(TestManager.run(manager, suiteId, 1), (ended) => ended.length === 1)
      yield* TestManager.run(manager, suiteId, 1)
      const found = yield* results(suiteId, false)
      assert.deepStrictEqual(found.map(brief).toSorted(), [
        "0.1 succeeded",
        "1.2 succeeded",
        "2.1 succeeded",
        "3.1 succeeded",
        "4.0 cancelled",
        "5.0 cancelled"
      ])
      assert.deepStrictEqual(found.slice(0, 2).map(brief), ["0.1 succeeded", "2.1 succeeded"])
      assert.deepInclude(found[0], { stdout: "out 0\n", exitCode: 0, duration: 5, outcome: "succeeded" })
      const cancelled = found.find(({ index }) => index === 5)
      assert.deepInclude(cancelled, { message: "not these", outcome: "cancelled", startedAt: null })
      assert.deepStrictEqual(yield* results(suiteId, false), found)
      assert.deepStrictEqual(yield* results(suiteId, true), found)
    })
  )

  it.effect("leave out how tasks ended that were put back since", () =>
    Effect.gen(function* () {
      const { client, suiteId } = yield* suiteOf(3)
      const manager = TestManager.imaginary()
      yield* TestManager.run(manager, suiteId, 3, (index) => (index > 0 ? { outcome: "failed", exitCode: 1 } : {}))
      yield* client.RetryTasks({ suiteId, tasks: "failed", commandId: "retry" })
      assert.deepStrictEqual((yield* results(suiteId, false)).map(brief), ["0.1 succeeded"])
      yield* TestManager.run(manager, suiteId, 1)
      assert.deepStrictEqual((yield* results(suiteId, false)).map(brief), ["0.1 succeeded", "1.2 succeeded"])
    })
  )

  it.effect("follow results while tasks settle from several sides at once, and end with the last one", () =>
    Effect.gen(function* () {
      const count = 1_000
      const { client, suiteId } = yield* suiteOf(count)
      const readers = yield* Effect.forEach([1, 2, 3], () => Effect.forkChild(results(suiteId, true)))
      const work = Effect.gen(function* () {
        const manager = TestManager.imaginary()
        for (;;) {
          const ended = yield* TestManager.run(manager, suiteId, 7, (index) =>
            index % 10 === 0 ? { outcome: "failed", exitCode: 1 } : {}
          )
          if (ended.length === 0) return
        }
      })
      const cancelling = client.CancelTasks({
        suiteId,
        tasks: Array.from({ length: 300 }, (_, k) => count - 1 - k),
        reason: "too many",
        commandId: "cancel"
      })
      yield* Effect.all([work, work, work, cancelling], { concurrency: "unbounded" })
      const [first, ...others] = yield* Effect.forEach(readers, Fiber.join)
      assert.isDefined(first)
      assert.deepStrictEqual(
        first.map(({ index }) => index).toSorted((a, b) => a - b),
        Array.from({ length: count }, (_, index) => index)
      )
      for (const other of others) assert.deepStrictEqual(other, first)
      assert.deepStrictEqual(yield* results(suiteId, false), first)
      const { tasks } = yield* client.GetSuite({ suiteId })
      const settled = (state: TaskResult["state"]) => first.filter((result) => result.state === state).length
      assert.deepStrictEqual(
        [settled("succeeded"), settled("failed"), settled("cancelled")],
        [tasks.succeeded, tasks.failed, tasks.cancelled]
      )
    })
  )

  it.effect("cancel a large queue without making a large message of it", () =>
    Effect.gen(function* () {
      const { client, suiteId } = yield* suiteOf(5_000)
      yield* client.CancelSuite({ suiteId, mode: "graceful", reason: "all of it", commandId: "cancel" })
      const found = yield* results(suiteId, true)
      assert.deepStrictEqual(
        found.map(({ index }) => index),
        Array.from({ length: 5_000 }, (_, index) => index)
      )
    })
  )

  it.effect("show a suite at each change until nothing is pending", () =>
    Effect.gen(function* () {
      const { client, suiteId } = yield* suiteOf(2)
      const seen = yield* Queue.unbounded<number>()
      const watching = yield* client.WatchSuite({ suiteId, interval: 20 }).pipe(
        Stream.tap(({ tasks }) => Queue.offer(seen, tasks.pending)),
        Stream.runLast,
        Effect.forkChild
      )
      assert.strictEqual(yield* Queue.take(seen), 2)
      yield* TestManager.run(TestManager.imaginary(), suiteId, 1)
      yield* eventually(Queue.take(seen), (pending) => pending === 1)
      yield* TestManager.run(TestManager.imaginary(), suiteId, 1)
      const last = yield* Fiber.join(watching)
      assert.deepInclude(
        last.pipe((view) => (view._tag === "Some" ? view.value : undefined)),
        { state: "complete" }
      )
    })
  )

  it.effect("say that there is no such suite to watch or to read results of", () =>
    Effect.gen(function* () {
      const client = yield* TestRpcClient.make()
      const suiteId = newSuiteId()
      const watched = yield* Effect.flip(Stream.runDrain(client.WatchSuite({ suiteId })))
      assert.strictEqual(watched._tag, "SuiteNotFound")
      const read = yield* Effect.flip(Stream.runDrain(client.StreamResults({ suiteId, follow: true })))
      assert.strictEqual(read._tag, "SuiteNotFound")
    })
  )

  it.effect("tell of events as they are stored, from now on or from a cursor", () =>
    Effect.gen(function* () {
      const { client, suiteId } = yield* suiteOf(1)
      const tail = (options: { readonly stream?: string; readonly cursor?: string }) =>
        Effect.gen(function* () {
          const found = yield* Ref.make<ReadonlyArray<string>>([])
          yield* client.TailEvents(options).pipe(
            Stream.filter((event) => event.stream === stream(suiteId)),
            Stream.runForEach(({ type }) => Ref.update(found, (types) => [...types, type])),
            Effect.forkScoped
          )
          return found
        })
      const { nextCursor } = yield* client.ListEvents({ stream: stream(suiteId), limit: 1 })
      assert.isNotNull(nextCursor)
      const fromCursor = yield* tail({ stream: stream(suiteId), cursor: nextCursor })
      yield* eventually(Ref.get(fromCursor), (types) => types.length === 1)
      const ofStream = yield* tail({ stream: stream(suiteId) })
      // "Now" in the log is where its readers are, which may be before what was just stored.
      yield* untilVisible
      const ofLog = yield* tail({})
      let pauses = 0
      // The tails begin when their first question is answered, so go on until each has seen something.
      yield* eventually(
        Effect.gen(function* () {
          pauses++
          yield* client.PauseSuite({ suiteId, commandId: randomUUID() })
          yield* client.ResumeSuite({ suiteId, commandId: randomUUID() })
          return [yield* Ref.get(ofStream), yield* Ref.get(ofLog)]
        }),
        (found) => found.every((types) => types.length >= 2)
      )
      yield* eventually(Ref.get(fromCursor), (types) => types.length === 1 + 2 * pauses)
      const expected = [
        "TasksSubmitted",
        ...Array.from({ length: pauses }, () => ["SuitePaused", "SuiteResumed"]).flat()
      ]
      assert.deepStrictEqual(yield* Ref.get(fromCursor), expected)
      for (const found of [ofStream, ofLog]) {
        // The log shows an event a moment later than its stream does.
        const types = yield* eventually(Ref.get(found), (seen) => seen.at(-1) === "SuiteResumed")
        assert.deepStrictEqual(types, expected.slice(expected.length - types.length))
      }
      const refused = yield* Effect.flip(Stream.runDrain(client.TailEvents({ cursor: "x" })))
      assert.deepInclude(refused, { _tag: "InvalidInput", field: "cursor" })
    })
  )
})
