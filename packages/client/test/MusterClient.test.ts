import { assert, describe, it } from "@effect/vitest"
import { createServer } from "node:net"
import type { Server } from "node:net"
import { Effect, Fiber, Layer, Schedule, Schema, Stream } from "effect"
import * as Handler from "@muster/domain/Handler"
import { SuiteId, taskId } from "@muster/domain/Suite/Id"
import * as Batches from "../src/Batches.ts"
import { MusterClient } from "../src/MusterClient.ts"
import type { Options, TaskInput } from "../src/MusterClient.ts"
import * as MemoryCoordinator from "./support/MemoryCoordinator.ts"

const pollFast = Schedule.spaced("5 millis").pipe(Schedule.upTo({ times: 1_000 }))

const succeed: MemoryCoordinator.Execute = () => ({ outcome: "succeeded", exitCode: 0, stdout: "done\n" })

const echoes = (count: number): ReadonlyArray<TaskInput> =>
  Array.from({ length: count }, (_, place) => ({ program: "echo", args: [String(place)] }))

const connect = (url: string, options: Partial<Options> = {}) =>
  Layer.build(MusterClient.layer({ url, token: MemoryCoordinator.token, ...options })).pipe(
    Effect.map((context) => MusterClient.use(Effect.succeed).pipe(Effect.provideContext(context))),
    Effect.flatten
  )

/** Accepts connections and never says a word. */
const silentServer = Effect.acquireRelease(
  Effect.callback<Server>((resume) => {
    const server = createServer()
    server.listen(0, "127.0.0.1", () => resume(Effect.succeed(server)))
  }),
  (server) => Effect.sync(() => void server.close())
).pipe(
  Effect.map((server) => {
    const address = server.address()
    return `http://127.0.0.1:${address !== null && typeof address === "object" ? address.port : 0}`
  })
)

const setup = (options?: Partial<Options>) =>
  Effect.gen(function* () {
    const coordinator = yield* MemoryCoordinator.make
    const client = yield* connect(coordinator.url, options)
    return { client, coordinator }
  })

describe("suites", () => {
  it.live("are made, filled, run and followed to their end", () =>
    Effect.gen(function* () {
      const { client, coordinator } = yield* setup()
      const { id } = yield* client.createSuite({ name: "greeting", tags: ["linux"] })
      const submitted = yield* client.submit(id, echoes(3))
      assert.deepStrictEqual(submitted, { count: 3, ranges: [{ firstIndex: 0, count: 3 }] })
      yield* client.closeSuite(id)
      const watching = yield* Effect.forkScoped(Stream.runCollect(client.watch(id)))
      yield* coordinator.work(id, succeed)
      const views = yield* Fiber.join(watching)
      assert.strictEqual(views.at(-1)?.tasks.pending, 0)
      const suite = yield* client.wait(id)
      assert.deepInclude(suite, { id, name: "greeting", state: "complete" })
      const results = yield* Stream.runCollect(client.results(id))
      assert.deepStrictEqual(
        results.map(({ index, stdout }) => [index, stdout]),
        [
          [0, "done\n"],
          [1, "done\n"],
          [2, "done\n"]
        ]
      )
    })
  )

  it.live("take durations and sizes as people write them", () =>
    Effect.gen(function* () {
      const { client, coordinator } = yield* setup()
      const { id } = yield* client.createSuite({ defaults: { timeout: "1m30s", output: { tail: "16Ki" } } })
      yield* client.submit(id, [{ program: "true", timeout: "250ms" }])
      assert.deepStrictEqual((yield* client.getSuite(id)).spec.defaults, { timeout: 90_000, output: { tail: 16_384 } })
      assert.deepStrictEqual(yield* coordinator.specs(id), [{ program: "true", timeout: 250 }])
    })
  )

  it.live("are listed page by page as far as the reader wants", () =>
    Effect.gen(function* () {
      const { client } = yield* setup()
      const ids = yield* Effect.forEach(echoes(5), () => Effect.map(client.createSuite(), ({ id }) => id))
      const listed = yield* Stream.runCollect(client.listSuites())
      assert.sameMembers(
        listed.map(({ id }) => id),
        ids
      )
      const first = yield* Stream.runCollect(client.listSuites({ limit: 2 }))
      assert.strictEqual(first.length, 2)
    })
  )

  it.live("that are unknown or malformed give typed errors", () =>
    Effect.gen(function* () {
      const { client, coordinator } = yield* setup()
      const unknown = yield* Effect.flip(client.getSuite(SuiteId.make("0000000000000000")))
      assert.strictEqual(unknown._tag, "SuiteNotFound")
      const malformed = yield* Effect.flip(client.createSuite({ workers: 300 }))
      assert.deepInclude(malformed, {
        _tag: "InvalidInput",
        field: "workers",
        value: "300",
        expected: "a value between 1 and 256"
      })
      assert.strictEqual(coordinator.received.length, 0)
    })
  )

  it.live("that do not end in time fail the wait and go on", () =>
    Effect.gen(function* () {
      const { client } = yield* setup()
      const { id } = yield* client.createSuite()
      yield* client.submit(id, echoes(2))
      const error = yield* Effect.flip(client.wait(id, { timeout: "50 millis" }))
      assert.strictEqual(error._tag, "WaitTimedOut")
      assert.strictEqual(error.message, `suite ${id} still has 2 pending tasks after 50ms`)
    })
  )
})

describe("submissions", () => {
  it.live("go in batches of a thousand and get indexes in the order of the input", () =>
    Effect.gen(function* () {
      const { client, coordinator } = yield* setup()
      const { id } = yield* client.createSuite()
      const submitted = yield* client.submit(id, echoes(2_500))
      assert.strictEqual(submitted.count, 2_500)
      assert.strictEqual(Batches.indexAt(submitted, 2_499), 2_499)
      assert.deepStrictEqual(
        coordinator.received.filter(({ request }) => request === "SubmitTasks").map(({ tasks }) => tasks),
        [1_000, 1_000, 500]
      )
      const specs = yield* coordinator.specs(id)
      assert.deepStrictEqual(specs.at(1_234), { program: "echo", args: ["1234"] })
    })
  )

  it.live("come from streams, slow ones in smaller batches", () =>
    Effect.gen(function* () {
      const { client, coordinator } = yield* setup()
      const { id } = yield* client.createSuite()
      const slow = Stream.concat(
        Stream.fromIterable(echoes(2)),
        // The second part comes only after the first was stored.
        Stream.fromIterableEffect(
          Effect.as(
            Effect.repeat(coordinator.specs(id), { until: (specs) => specs.length === 2, schedule: pollFast }),
            echoes(1)
          )
        )
      )
      const submitted = yield* client.submit(id, slow)
      assert.strictEqual(submitted.count, 3)
    })
  )

  it.live("with a bad task name its place and send nothing of its batch", () =>
    Effect.gen(function* () {
      const { client, coordinator } = yield* setup()
      const { id } = yield* client.createSuite()
      const bad: ReadonlyArray<readonly [TaskInput, string, string, string]> = [
        [{ program: "" }, "tasks[2].program", '""', "a value with a length of at least 1"],
        [
          { program: "true", timeout: "-5s" },
          "tasks[2].timeout",
          '"-5s"',
          "a duration such as 500ms, 90s, 5m or 1h30m"
        ],
        [{ program: "true", timeout: -5 }, "tasks[2].timeout", "-5", "a duration from 1ms to 365d"],
        [
          { program: "true", args: ["a", "b\0"] },
          "tasks[2].args[1]",
          '"b\\u0000"',
          "text without NUL characters and lone surrogates"
        ],
        [{ handler: "" }, "tasks[2].handler", '""', "a value with a length of at least 1"]
      ]
      for (const [task, field, value, expected] of bad) {
        const error = yield* Effect.flip(client.submit(id, [...echoes(2), task]))
        assert.deepInclude(error, { _tag: "InvalidInput", field, value, expected })
      }
      const misspelt: object = { program: "true", timeuot: 5 }
      const error = yield* Effect.flip(client.submit(id, [misspelt as TaskInput])) // as an untyped program would
      assert.strictEqual(
        error.message,
        "tasks[0].timeuot is 5; allowed: no such field; known are program, args, stdin, env, cwd, timeout, grace, retry, output, priority, labels"
      )
      assert.deepStrictEqual(yield* coordinator.specs(id), [])
    })
  )

  it("are cut where a batch becomes too heavy for a message", () => {
    const task = { program: "cat", stdin: "x".repeat(1_000_000) }
    const batches = Batches.split(Array.from({ length: 10 }, () => task))
    assert.deepStrictEqual(
      batches.map((batch) => batch.length),
      [4, 4, 2]
    )
  })
})

describe("a connection", () => {
  it.live("that is refused says so in one line, at once or after the time given", () =>
    Effect.gen(function* () {
      const { coordinator } = yield* setup()
      yield* coordinator.stop
      const client = yield* connect(coordinator.url, { connectTimeout: 0 })
      const error = yield* Effect.flip(client.serverInfo)
      assert.strictEqual(error.message, `cannot reach ${coordinator.url}: connection refused`)
      const patient = yield* connect(coordinator.url, { connectTimeout: "10 seconds" })
      const asking = yield* Effect.forkScoped(patient.serverInfo)
      yield* coordinator.start
      assert.strictEqual((yield* Fiber.join(asking)).coordinator, "memory")
    })
  )

  it.live("with a wrong token is refused with a typed error", () =>
    Effect.gen(function* () {
      const { coordinator } = yield* setup()
      const client = yield* connect(coordinator.url, { token: "another" })
      const error = yield* Effect.flip(client.createSuite())
      assert.strictEqual(error._tag, "Unauthorized")
    })
  )

  it.live("needs an address that is one", () =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(connect("ftp//nowhere"))
      assert.strictEqual(error.message, 'url is "ftp//nowhere"; allowed: an address such as http://127.0.0.1:7117')
    })
  )

  it.live("goes to the next address at once when one refuses, and when the one it has is gone", () =>
    Effect.gen(function* () {
      const [gone, one, two] = yield* Effect.all([
        MemoryCoordinator.make,
        MemoryCoordinator.make,
        MemoryCoordinator.make
      ])
      yield* gone.stop
      const client = yield* connect(`${gone.url}, ${one.url},${two.url}`, { connectTimeout: 0 })
      const { id } = yield* client.createSuite()
      assert.lengthOf(one.received, 1)
      yield* one.stop
      const began = performance.now()
      // The other one is not of the same cluster and does not know the suite.
      const error = yield* Effect.flip(client.getSuite(id))
      assert.strictEqual(error._tag, "SuiteNotFound")
      assert.isBelow(performance.now() - began, 1_000)
    })
  )

  it.live("leaves one that keeps its sockets open and says nothing, as a frozen one does", () =>
    Effect.gen(function* () {
      const { coordinator } = yield* setup()
      const frozen = yield* silentServer
      const began = performance.now()
      const client = yield* connect(`${frozen},${coordinator.url}`, { connectTimeout: 0 })
      assert.strictEqual((yield* client.serverInfo).coordinator, "memory")
      assert.isBelow(performance.now() - began, 5_000)
    })
  )

  it.live("that loses answers repeats commands under their ids, so that nothing is done twice", () =>
    Effect.gen(function* () {
      const { client, coordinator } = yield* setup()
      yield* coordinator.loseAnswers(1)
      const { id } = yield* client.createSuite()
      yield* coordinator.loseAnswers(2)
      const submitted = yield* client.submit(id, echoes(3))
      assert.deepStrictEqual(submitted.ranges, [{ firstIndex: 0, count: 3 }])
      assert.strictEqual((yield* coordinator.specs(id)).length, 3)
      const submits = coordinator.received.filter(({ request }) => request === "SubmitTasks")
      assert.strictEqual(submits.length, 3)
      assert.strictEqual(new Set(submits.map(({ commandId }) => commandId)).size, 1)
    })
  )

  it.live("that breaks is opened again: waits go on and results come once", () =>
    Effect.gen(function* () {
      const seen: Array<boolean> = []
      const onConnection = (connected: boolean) => Effect.sync(() => void seen.push(connected))
      const { client, coordinator } = yield* setup({ onConnection })
      const { id } = yield* client.createSuite()
      yield* client.submit(id, echoes(4))
      yield* coordinator.work(id, succeed, 2)
      const results: Array<number> = []
      const collecting = yield* client.results(id).pipe(
        Stream.runForEach(({ index }) => Effect.sync(() => void results.push(index))),
        Effect.forkScoped
      )
      const waiting = yield* Effect.forkScoped(client.wait(id))
      yield* Effect.repeat(
        Effect.sync(() => results.length),
        { until: (count) => count === 2, schedule: pollFast }
      )
      yield* coordinator.stop
      yield* coordinator.start
      yield* coordinator.work(id, succeed)
      yield* Fiber.join(collecting)
      assert.deepStrictEqual(results, [0, 1, 2, 3])
      assert.strictEqual((yield* Fiber.join(waiting)).tasks.succeeded, 4)
      assert.deepStrictEqual(seen.slice(0, 2), [true, false])
    })
  )
})

const divide = Handler.make({
  name: "divide",
  input: Schema.Struct({ dividend: Schema.Finite, divisor: Schema.Finite, at: Schema.Date }),
  output: Schema.Struct({ quotient: Schema.Finite, at: Schema.Date }),
  failure: Schema.Struct({ reason: Schema.String }),
  run: ({ at, dividend, divisor }) => ({ quotient: dividend / divisor, at })
})

describe("typed handlers", () => {
  const at = new Date("2026-02-03T04:05:06.000Z")
  const execute: MemoryCoordinator.Execute = (spec, index) => {
    if (index === 1) return { outcome: "failed", output: { reason: "division by zero" } }
    if (index === 2) return { outcome: "timed_out", signal: "SIGKILL", message: "after 1s" }
    if (index === 3) return { outcome: "succeeded", output: { quotient: "many" } }
    return { outcome: "succeeded", output: { quotient: 3, at: "handler" in spec ? at.toISOString() : "" } }
  }

  it.live("get typed inputs, and their outputs and failures come back typed", () =>
    Effect.gen(function* () {
      const { client, coordinator } = yield* setup()
      const { id } = yield* client.createSuite()
      const inputs = [1, 2, 3, 4].map((divisor) => ({ dividend: 3, divisor, at }))
      yield* client.submitInputs(id, divide, inputs, { settings: { timeout: "1s" } })
      const [spec] = yield* coordinator.specs(id)
      assert.deepStrictEqual(spec, {
        handler: "divide",
        input: { dividend: 3, divisor: 1, at: "2026-02-03T04:05:06.000Z" },
        timeout: 1_000
      })
      yield* coordinator.work(id, execute)
      const results = yield* Stream.runCollect(client.handlerResults(id, divide))
      assert.deepStrictEqual(results[0], {
        _tag: "Succeeded",
        index: 0,
        taskId: taskId(id, 0),
        output: { quotient: 3, at }
      })
      assert.deepStrictEqual(results[1], {
        _tag: "Failed",
        index: 1,
        taskId: taskId(id, 1),
        failure: { reason: "division by zero" }
      })
      assert(results[2]?._tag === "Broke")
      assert.strictEqual(results[2].error.message, `task ${id}.2 timed out: after 1s`)
      assert(results[3]?._tag === "Broke")
      assert.include(results[3].error.message, "does not fit the handler's schema")
    })
  )

  it.live("refuse inputs that do not fit before anything is sent", () =>
    Effect.gen(function* () {
      const { client, coordinator } = yield* setup()
      const { id } = yield* client.createSuite()
      const inputs = [
        { dividend: 1, divisor: 1, at },
        { dividend: Number.NaN, divisor: 1, at }
      ]
      const error = yield* Effect.flip(client.submitInputs(id, divide, inputs))
      assert.deepInclude(error, { _tag: "InvalidInput", field: "inputs[1].dividend" })
      assert.deepStrictEqual(yield* coordinator.specs(id), [])
    })
  )
})

describe("logs", () => {
  const encoder = new TextEncoder()

  it.live("are read to their end, and followed while they are written", () =>
    Effect.gen(function* () {
      const { client, coordinator } = yield* setup()
      const { id } = yield* client.createSuite()
      yield* client.submit(id, echoes(1))
      const task = taskId(id, 0)
      const early = yield* Effect.flip(Stream.runDrain(client.logs(task)))
      assert.strictEqual(early.message, `task ${task} has not run: it is queued`)
      const text: Array<string> = []
      const following = yield* client.logs(task, { follow: true }).pipe(
        Stream.decodeText(),
        Stream.runForEach((part) => Effect.sync(() => void text.push(part))),
        Effect.forkScoped
      )
      const write = (content: string, ended: boolean) => {
        const data = encoder.encode(content)
        return coordinator.writeLog(task, { data, size: data.length, ended, missing: false })
      }
      yield* write("first\n", false)
      yield* Effect.repeat(
        Effect.sync(() => text.length),
        { until: (count) => count === 1, schedule: pollFast }
      )
      yield* write("first\nsecond\n", true)
      yield* Fiber.join(following)
      assert.deepStrictEqual(text, ["first\n", "second\n"])
    })
  )
})
