/**
 * What trials are made on: three coordinators with the settings that ship, a manager for each of three suites, and a steady
 * trickle of short tasks into all of them. Everything is looked at from outside.
 */
import { Context, Effect, Exit, Layer, Redacted, Ref, Scope } from "effect"
import { PgConnection } from "@effect/sql-pg"
import { MusterClient } from "@muster/client/MusterClient"
import type { CoordinatorView } from "@muster/domain/Cluster/View"
import { stream } from "@muster/domain/Suite/Id"
import type { SuiteId } from "@muster/domain/Suite/Id"
import * as Programs from "../../bench/Programs.ts"
import * as System from "../e2e/support/System.ts"
import * as Wait from "../e2e/support/Wait.ts"

export type Client = MusterClient["Service"]

/** A place in the cluster; who stands in it is another process after each kill. */
export interface Place {
  readonly url: string
  readonly pid: () => number
  readonly signal: (signal: NodeJS.Signals) => Effect.Effect<void>
  readonly exited: Effect.Effect<void>
  /** What it has printed so far. */
  readonly output: () => string
  /** Another coordinator at the same address; the one before has exited. */
  readonly replace: Effect.Effect<void>
}

export interface Suite {
  readonly id: SuiteId
  /** Tasks that were accepted so far, as this side has counted them. */
  accepted: number
}

export interface Stage {
  readonly places: ReadonlyArray<Place>
  readonly suites: ReadonlyArray<Suite>
  /** A suite of one task, which was begun before the first trial and does not end by itself, on a manager of its own. */
  readonly lasting: SuiteId
  /** A client that knows all coordinators. */
  readonly client: Client
  /** Another one, whose first connection goes to this place. */
  readonly clientAt: (place: Place) => Effect.Effect<Client, never, Scope.Scope>
  /** Submits one short task; its index. */
  readonly submit: (client: Client, suite: Suite) => Effect.Effect<number>
  /** Whether an outcome is committed behind the submission of this task. Asks the database, past all coordinators. */
  readonly hasOutcomeSince: (suite: Suite, index: number) => Effect.Effect<boolean>
  /** The coordinators by place, once all of them have their part of the shards and none moves any more. */
  readonly settled: Effect.Effect<ReadonlyMap<Place, CoordinatorView>>
  /** Which suites are with this coordinator. */
  readonly hostedBy: (coordinator: CoordinatorView) => Effect.Effect<ReadonlyArray<Suite>>
}

const count = 3
const short = { program: "/bin/true" }
/** Of the trickle: long enough that a suite always has work. */
const steady = { program: "sleep", args: ["0.3"] }
/** Nothing that runs is stopped by what happens to a coordinator. */
const endless = { program: "sleep", args: ["infinity"] }

/** Each suite has its manager: what is measured is a takeover, not how suites share machines. */
const tagOf = (index: number) => `trickle-${index}`

/** Milliseconds between two tasks of the trickle, for each suite. */
const trickle = 200

/** A trial begins in a cluster that has been at rest for so long. Milliseconds. */
const rest = 3_000

/** A coordinator with fewer shards than that has not got its part yet. */
const fairPart = 20

export const make = Effect.gen(function* (): Effect.fn.Return<Stage, never, Scope.Scope> {
  yield* Programs.build
  const system = yield* System.makeWith(Programs.bundled, { times: "shipped" })
  const outer = yield* Effect.scope

  const place = Effect.gen(function* () {
    const start = Effect.fnUntraced(function* (port?: number) {
      const scope = yield* Scope.fork(outer)
      const coordinator = yield* system
        .coordinator(port === undefined ? {} : { port })
        .pipe(Effect.provideService(Scope.Scope, scope))
      return { coordinator, scope }
    })
    const current = yield* Ref.make(yield* start())
    const now = () => Ref.getUnsafe(current).coordinator
    return {
      url: now().url,
      pid: () => now().pid,
      signal: (signal) => Effect.suspend(() => now().kill(signal)),
      output: () => now().output(),
      exited: Effect.suspend(() => Effect.asVoid(now().exited)),
      replace: Effect.gen(function* () {
        const { coordinator, scope } = yield* Ref.get(current)
        yield* Scope.close(scope, Exit.void)
        yield* Ref.set(current, yield* start(coordinator.port))
      })
    } satisfies Place
  })
  const places = yield* Effect.all(
    Array.from({ length: count }, () => place),
    { concurrency: count }
  )
  const urls = places.map(({ url }) => url)
  const from = (first: number) => [...urls.slice(first), ...urls.slice(0, first)]

  for (let index = 0; index < count; index++)
    yield* system.manager({ urls: from(index), workers: 2, tags: [tagOf(index)] })
  yield* system.manager({ urls, workers: 1, tags: ["lasting"] })
  const client = yield* system.client(urls)
  const lasting = yield* Effect.gen(function* () {
    const { id } = yield* client.createSuite({ name: "lasting", tags: ["lasting"] })
    yield* client.submit(id, [endless])
    yield* Wait.until("the lasting task runs", client.getSuite(id), ({ tasks }) => tasks.running === 1)
    return id
  }).pipe(Effect.orDie)
  const suites = yield* Effect.forEach(
    places,
    (_, index) =>
      Effect.gen(function* () {
        const { id } = yield* client.createSuite({ name: `trickle ${index}`, tags: [tagOf(index)] })
        const suite: Suite = { id, accepted: 0 }
        return suite
      }),
    { concurrency: count }
  ).pipe(Effect.orDie)

  const send = Effect.fnUntraced(function* (by: Client, suite: Suite, task: typeof short | typeof steady) {
    const { ranges } = yield* Effect.orDie(by.submit(suite.id, [task]))
    suite.accepted++
    return ranges[0]?.firstIndex ?? -1
  })
  yield* Effect.forEach(
    suites,
    (suite, index) =>
      Effect.gen(function* () {
        const own = yield* system.client(from(index))
        return yield* send(own, suite, steady).pipe(Effect.delay(trickle), Effect.forever)
      }).pipe(Effect.forkScoped),
    { discard: true }
  )

  const database = yield* Effect.orDie(PgConnection.make({ url: Redacted.make(system.postgres.url) }))
  const hasOutcomeSince = ({ id }: Suite, index: number) =>
    database
      .query(
        `select 1 from muster.events as outcome
         where stream = $1 and type = 'AttemptsEnded' and version > (
           select version from muster.events as submission
           where submission.stream = $1 and type = 'TasksSubmitted' and (data ->> 'firstIndex')::int <= $2
           order by version desc limit 1
         ) limit 1`,
        [stream(id), BigInt(index)]
      )
      .pipe(
        Effect.map(({ rows }) => rows.length > 0),
        Effect.orDie
      )

  const settled = Effect.map(
    Wait.until(
      "every coordinator has its part of the shards",
      Effect.orDie(client.cluster()),
      ({ coordinators, shards }) =>
        shards.held === shards.total &&
        coordinators.length === count &&
        coordinators.every(
          ({ healthy, shards: own, shardsSince }) =>
            healthy && own.length >= fairPart && shardsSince !== null && Date.now() - Date.parse(shardsSince) > rest
        )
    ),
    ({ coordinators }) =>
      new Map(
        places.flatMap((one) => coordinators.flatMap((found) => (found.url === one.url ? [[one, found] as const] : [])))
      )
  )

  const hostedBy = ({ address }: CoordinatorView) =>
    Effect.map(Effect.orDie(client.cluster({ suites: true })), (view) => {
      const there = new Set(view.suites.flatMap(({ coordinator, id }) => (coordinator === address ? [id] : [])))
      return suites.filter(({ id }) => there.has(id))
    })

  const clientAt = (first: Place) =>
    Effect.map(
      Effect.orDie(
        Layer.build(MusterClient.layer({ url: from(places.indexOf(first)), token: Redacted.make(system.adminToken) }))
      ),
      (context) => Context.get(context, MusterClient)
    )

  const submit = (by: Client, suite: Suite) => send(by, suite, short)

  return { places, suites, lasting, client, clientAt, submit, hasOutcomeSince, settled, hostedBy }
})
