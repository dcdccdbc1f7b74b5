/**
 * The system under fault: Postgres, coordinators and managers as real processes of the bundle, each started again by a
 * supervisor when it ends, with a link of its own between any two of them that can be cut.
 */
import { mkdirSync } from "node:fs"
import { fileURLToPath } from "node:url"
import { join } from "node:path"
import { Effect, Fiber, Option, Stream } from "effect"
import type { Scope } from "effect"
import * as Programs from "../bench/Programs.ts"
import type { Process } from "../test/e2e/support/Process.ts"
import * as System from "../test/e2e/support/System.ts"
import * as Wait from "../test/e2e/support/Wait.ts"
import * as Clocks from "./Clocks.ts"
import * as Link from "./Link.ts"
import type { Shape } from "./Schedule.ts"
import type { Timeline } from "./Timeline.ts"

/** A place in which one process after the other runs. */
export interface Member {
  readonly name: string
  /** The process that runs in it now. */
  readonly current: () => Process | undefined
  /** Ends it for good, with TERM and then KILL. */
  readonly stop: Effect.Effect<void>
}

export interface Manager extends Member {
  readonly number: number
  readonly directory: string
}

export interface Coordinator extends Member {
  readonly number: number
  readonly url: string
}

export interface Fleet {
  readonly system: System.System
  readonly shape: Shape
  readonly home: string
  /** Where tasks write their notes. */
  readonly notes: string
  /** An assignment that every process of the run has in its environment. */
  readonly mark: string
  readonly coordinators: ReadonlyArray<Coordinator>
  readonly managers: ReadonlyArray<Manager>
  readonly managerLinks: ReadonlyArray<ReadonlyArray<Link.Link>>
  readonly databaseLinks: ReadonlyArray<Link.Link>
  readonly clocks: Clocks.Clocks | undefined
}

/** What a supervisor waits before it starts again what has ended, and before it kills what was told to go. Milliseconds. */
const restartDelay = 500
const stopPatience = 40_000

/** Times that let a run see within seconds what takes minutes in life. */
const coordinatorTimes = {
  MUSTER_HEARTBEAT_INTERVAL: "500ms",
  MUSTER_MANAGER_SILENT_AFTER: "2s",
  MUSTER_MANAGER_LOST_AFTER: "6s",
  MUSTER_MANAGER_DISCONNECT_GRACE: "3s",
  MUSTER_MANAGER_TAKEOVER_GRACE: "5s",
  MUSTER_SUITE_LINGER: "500ms"
}
const managerTimes = {
  MUSTER_RECONNECT_MIN: "100ms",
  MUSTER_RECONNECT_MAX: "1s",
  MUSTER_BEAT_TIMEOUT: "4s",
  MUSTER_SHUTDOWN_LIMIT: "3s"
}

const handlers = fileURLToPath(new URL("handlers.ts", import.meta.url))

const supervise = Effect.fnUntraced(function* (
  name: string,
  start: Effect.Effect<Process, never, Scope.Scope>,
  timeline: Timeline
): Effect.fn.Return<Member, never, Scope.Scope> {
  let current: Process | undefined
  let isStopping = false
  const isWanted = () => !isStopping
  const once = Effect.scoped(
    Effect.gen(function* () {
      const running = yield* start
      current = running
      const { code, signal } = yield* running.exited
      current = undefined
      if (!isStopping) timeline.say(`         ${name} has ended (${signal ?? `exit code ${code}`})`)
    })
  )
  const fiber = yield* Effect.gen(function* () {
    do {
      yield* once
      yield* Effect.sleep(isStopping ? 0 : restartDelay)
    } while (isWanted())
  }).pipe(Effect.forkScoped)
  return {
    name,
    current: () => current,
    stop: Effect.gen(function* () {
      isStopping = true
      yield* current?.kill("SIGTERM") ?? Effect.void
      const ended = yield* Effect.timeoutOption(Fiber.await(fiber), stopPatience)
      if (Option.isSome(ended)) return
      timeline.violation(`end: ${name} did not end within ${stopPatience / 1_000} s of SIGTERM`)
      yield* current?.kill("SIGKILL") ?? Effect.void
      yield* Fiber.await(fiber)
    })
  }
})

const numbers = (count: number) => Array.from({ length: count }, (_, place) => place + 1)

export const make = Effect.fnUntraced(function* (options: {
  readonly home: string
  readonly shape: Shape
  readonly seed: number
  readonly timeline: Timeline
  /** The directory of a manager that does not stand where the others do. */
  readonly directories: ReadonlyMap<number, string>
}): Effect.fn.Return<Fleet, never, Scope.Scope> {
  const { home, shape, timeline } = options
  yield* Programs.build
  const notes = join(home, "notes")
  const temporary = join(home, "tmp")
  for (const path of [notes, join(notes, "locks"), temporary]) mkdirSync(path, { recursive: true, mode: 0o755 })
  const system = yield* System.makeWith(Programs.bundled, { home })
  const id = `${options.seed}.${process.pid}`
  const clocks = shape.movableClocks === undefined ? undefined : Clocks.make(home)
  const common = { CHAOS_RUN: id, MUSTER_PARENT_PIPE: "1", TMPDIR: temporary }

  const databaseLinks = yield* Effect.forEach(numbers(shape.coordinators), () => Link.make(() => system.postgres.port))
  const coordinators = yield* Effect.forEach(
    numbers(shape.coordinators),
    Effect.fnUntraced(function* (number): Effect.fn.Return<Coordinator, never, Scope.Scope> {
      const name = `coordinator ${number}`
      const port = yield* System.freePort
      const database = new URL(system.postgres.url)
      database.port = String(databaseLinks[number - 1]?.port)
      const start = system.coordinator({
        port,
        waits: false,
        name: `coordinator-${number}`,
        env: {
          ...common,
          ...coordinatorTimes,
          MUSTER_DATABASE_URL: database.href,
          ...(number === shape.movableClocks?.coordinator ? clocks?.environment("coordinator") : {})
        }
      })
      return { ...(yield* supervise(name, start, timeline)), number, url: `http://127.0.0.1:${port}` }
    })
  )

  const managerLinks = yield* Effect.forEach(numbers(shape.managers), () =>
    Effect.forEach(coordinators, ({ url }) => Link.make(() => Number(new URL(url).port)))
  )
  const managers = yield* Effect.forEach(
    numbers(shape.managers),
    Effect.fnUntraced(function* (number): Effect.fn.Return<Manager, never, Scope.Scope> {
      const name = `manager ${number}`
      const directory = options.directories.get(number) ?? join(home, `manager-${number}`)
      const start = system.manager({
        urls: (managerLinks[number - 1] ?? []).map(({ port }) => `http://127.0.0.1:${port}`),
        name: `manager-${number}`,
        directory,
        workers: shape.workers,
        env: {
          ...common,
          ...managerTimes,
          CHAOS_NOTES: notes,
          CHAOS_MANAGER: String(number),
          MUSTER_HANDLERS: handlers,
          ...(number === shape.movableClocks?.manager ? clocks?.environment("manager") : {})
        }
      })
      return { ...(yield* supervise(name, start, timeline)), number, directory }
    })
  )
  return {
    system,
    shape,
    home,
    notes,
    mark: `CHAOS_RUN=${id}`,
    coordinators,
    managers,
    managerLinks,
    databaseLinks,
    clocks
  }
})

/** Waits until every manager is connected, and so the coordinators and the database are there. */
export const ready = Effect.fnUntraced(function* ({ coordinators, managers, system }: Fleet) {
  const client = yield* system.client(coordinators.map(({ url }) => url))
  yield* Wait.until(
    "all managers are connected",
    Stream.runCollect(client.listManagers()).pipe(Effect.orElseSucceed(() => [])),
    (found) => found.filter(({ state }) => state !== "offline").length === managers.length,
    60_000
  )
}, Effect.scoped)

/** Everything ends as when a machine is switched off in order: managers first. */
export const stop = ({ coordinators, managers }: Fleet): Effect.Effect<void> =>
  Effect.andThen(
    Effect.forEach(managers, (member) => member.stop, { concurrency: "unbounded", discard: true }),
    Effect.forEach(coordinators, (member) => member.stop, { concurrency: "unbounded", discard: true })
  )
