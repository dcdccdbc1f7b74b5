/**
 * A manager without a machine: speaks the real protocol over a real socket, from `Connect` on, and only pretends to run
 * what it is given.
 */
import { Deferred, Effect, Fiber, Queue, Redacted, Stream } from "effect"
import type { Scope } from "effect"
import type { Directive } from "@muster/domain/Manager/Directive"
import { ManagerId } from "@muster/domain/Manager/Id"
import type { ManagerSpec } from "@muster/domain/Manager/Spec"
import * as ShortId from "@muster/domain/ShortId"
import type { SuiteId } from "@muster/domain/Suite/Id"
import * as Connection from "@muster/manager/Connection"
import * as SimulatedSuite from "./SimulatedSuite.ts"

export interface Options {
  /** Of a coordinator, such as `http://127.0.0.1:7117`. */
  readonly url: string
  readonly token: string
  readonly name: string
  readonly workers: number
}

export interface SimulatedManager {
  readonly name: string
  /** From opening the socket to `Welcome`, in milliseconds. */
  readonly registration: number
  /** Round trips of heartbeats so far, in milliseconds. */
  readonly heartbeats: Array<number>
  /** What it has run so far. */
  readonly done: SimulatedSuite.Done
  /** The suites that it was given, in order, and when (milliseconds since 1970). */
  readonly given: Array<{ readonly suiteId: SuiteId; readonly at: number }>
}

const spec = ({ name, workers }: Options): ManagerSpec => ({
  name,
  tags: [],
  labels: [],
  workers,
  version: "0.1.0",
  host: { hostname: name, platform: "linux", cpus: workers, memory: 2 ** 33 }
})

/** Connects, is ready, beats as often as it is told to, and runs what it is given, until the scope closes. */
export const connect = Effect.fnUntraced(function* (
  options: Options
): Effect.fn.Return<SimulatedManager, never, Scope.Scope> {
  const managerId = ManagerId.make(ShortId.make(Date.now(), Math.random))
  const welcomed = yield* Deferred.make<Extract<Directive, { readonly _tag: "Welcome" }>>()
  const orders = yield* Queue.unbounded<Directive>()
  const began = performance.now()
  const client = yield* Connection.open(
    `${options.url.replace("http", "ws")}/ws/managers`,
    Redacted.make(options.token)
  )
  yield* client.Connect({ managerId, instance: crypto.randomUUID(), spec: spec(options) }).pipe(
    Stream.runForEach((directive) =>
      directive._tag === "Welcome" ? Deferred.succeed(welcomed, directive) : Queue.offer(orders, directive)
    ),
    Effect.orDie,
    Effect.catchCause((cause) => Deferred.failCause(welcomed, cause)),
    Effect.forkScoped
  )
  const { epoch, heartbeatInterval } = yield* Deferred.await(welcomed)
  const registration = performance.now() - began
  yield* Effect.orDie(client.Ready({ managerId, epoch }))

  const heartbeats: Array<number> = []
  yield* Effect.gen(function* () {
    const sent = performance.now()
    yield* client.Heartbeat({ managerId, epoch, activity: "idle", running: 0, buffered: 0 })
    heartbeats.push(performance.now() - sent)
    yield* Effect.sleep(heartbeatInterval)
  }).pipe(Effect.forever, Effect.delay(heartbeatInterval * Math.random()), Effect.forkScoped)

  const done: SimulatedSuite.Done = { tasks: 0, busy: 0 }
  const given: SimulatedManager["given"] = []
  yield* Effect.gen(function* () {
    let current: (SimulatedSuite.Running & { readonly fiber: Fiber.Fiber<void, unknown> }) | undefined
    for (;;) {
      const order = yield* Queue.take(orders)
      if (order._tag === "Assigned") {
        if (current?.suiteId === order.suiteId && !current.leaving.isOpen()) continue
        if (current !== undefined) yield* Fiber.await(current.fiber)
        const { spec: suite, suiteId } = order
        given.push({ suiteId, at: Date.now() })
        const running = SimulatedSuite.make(suiteId, suite.workers ?? options.workers)
        const fiber = yield* Effect.forkScoped(SimulatedSuite.run({ client, managerId, epoch }, running, done))
        current = { ...running, fiber }
      } else if (order._tag === "Release") {
        if (current?.suiteId === order.suiteId && current.fiber.pollUnsafe() === undefined) yield* current.leaving.open
        else yield* client.Released({ managerId, epoch, suiteId: order.suiteId })
      }
    }
  }).pipe(Effect.forkScoped)
  return { name: options.name, registration, heartbeats, done, given }
})
