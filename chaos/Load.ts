/**
 * The load: lanes that each make one suite after the other through the client library, as users do, and hold the
 * coordinators to their answers.
 */
import { Effect, Result, Stream } from "effect"
import type { Scope } from "effect"
import * as Connection from "@muster/client/Connection"
import * as Ids from "@muster/client/Ids"
import * as Input from "@muster/client/Input"
import type { MusterClient, SuiteInput, TaskInput } from "@muster/client/MusterClient"
import type { SuiteId } from "@muster/domain/Suite/Id"
import * as Chance from "./Chance.ts"
import type { Fleet } from "./Fleet.ts"
import type * as Ledger from "./Ledger.ts"
import type { Timeline } from "./Timeline.ts"
import * as Work from "./Work.ts"

type Client = MusterClient["Service"]

/** What every lane works with. */
interface Lane {
  readonly name: string
  readonly client: Client
  /** The same coordinators without the client's care for command ids: for requests that are sent twice on purpose. */
  readonly raw: Connection.Connection
  readonly chance: Chance.Chance
  readonly ledger: Ledger.Ledger
  readonly isOver: () => boolean
  /** Gives nothing when the answer never came; an answer that must not come is a violation. */
  readonly attempt: <A, E extends { readonly _tag: string; readonly message: string }>(
    what: string,
    request: Effect.Effect<A, E>,
    refusals?: ReadonlyArray<string>
  ) => Effect.Effect<A | undefined>
}

/** Whoever asked cannot know what became of it, and may not be blamed. */
const passing = ["ServerUnreachable", "Unavailable"]

const repeatFor = "60 seconds"

const spec = (name: string, stops: boolean, more: SuiteInput = {}): SuiteInput => ({
  name,
  ...more,
  ...(stops ? { onDisconnect: "stop", leaseDuration: "8s" } : {})
})

const times = <A>(count: number, make: () => A): Array<A> => Array.from({ length: count }, make)

const create = Effect.fnUntraced(function* (lane: Lane, more: SuiteInput = {}) {
  const stops = lane.chance.isLikely(0.5)
  const name = `${lane.name}${stops ? " (stop)" : ""}`
  const suite = yield* lane.attempt(`create ${name}`, lane.client.createSuite(spec(name, stops, more)))
  return suite === undefined ? undefined : lane.ledger.created({ id: suite.id, name, stops })
})

const submit = Effect.fnUntraced(function* (lane: Lane, entry: Ledger.Entry, tasks: ReadonlyArray<TaskInput>) {
  const submitted = yield* lane.attempt(
    `submit to ${entry.name}`,
    lane.client.submit(entry.id, tasks, {
      onSubmitted: () => Effect.void
    }),
    ["SuiteIsCancelled"]
  )
  if (submitted === undefined) return
  for (const range of submitted.ranges) entry.accepted.push(range)
})

/** The same request twice under one id, as a client does that did not hear the answer: it must count once. */
const submitTwice = Effect.fnUntraced(function* (lane: Lane, entry: Ledger.Entry, tasks: ReadonlyArray<TaskInput>) {
  const commandId = yield* Ids.commandId
  const decoded = Result.getOrThrow(Input.decodeTasks(tasks, 0))
  const once = lane.attempt(
    `submit twice to ${entry.name}`,
    lane.raw.call(lane.raw.rpc.SubmitTasks({ suiteId: entry.id, tasks: decoded, commandId })),
    ["SuiteIsCancelled"]
  )
  const answers = yield* Effect.all([once, once], { concurrency: lane.chance.isLikely(0.5) ? 2 : 1 })
  const [first, ...others] = answers.filter((answer) => answer !== undefined)
  if (first === undefined) return undefined
  entry.accepted.push(first)
  return others.every((other) => other.firstIndex === first.firstIndex && other.count === first.count)
})

const pause = (lane: Lane, longest: number) => Effect.suspend(() => Effect.sleep(lane.chance.between(0, longest)))

const close = Effect.fnUntraced(function* (lane: Lane, entry: Ledger.Entry) {
  yield* lane.attempt(`close ${entry.name}`, lane.client.closeSuite(entry.id), ["SuiteIsCancelled"])
})

/** Until the suite has nothing pending, or the run is over. */
const settle = Effect.fnUntraced(function* (lane: Lane, id: SuiteId) {
  for (;;) {
    const suite = yield* lane.attempt("look at a suite", lane.client.getSuite(id))
    if (suite !== undefined && suite.tasks.pending === 0) return true
    if (lane.isOver()) return false
    yield* Effect.sleep(250)
  }
})

const indexesOf = ({ accepted }: Ledger.Entry): ReadonlyArray<number> =>
  accepted.flatMap(({ count, firstIndex }) => times(count, () => 0).map((_, place) => firstIndex + place))

type Round = (lane: Lane, violation: (text: string) => void) => Effect.Effect<void>

/** Batches of one kind of task, and all of their results, each once. */
const plain =
  (make: (chance: Chance.Chance) => TaskInput, [fewest, most]: readonly [number, number]): Round =>
  (lane, violation) =>
    Effect.gen(function* () {
      const entry = yield* create(lane, { priority: lane.chance.whole(0, 3) })
      if (entry === undefined) return
      for (let batch = lane.chance.whole(1, 3); batch > 0; batch--) {
        const tasks = times(lane.chance.whole(fewest, most), () => make(lane.chance))
        if (lane.chance.isLikely(0.3)) {
          if ((yield* submitTwice(lane, entry, tasks)) === false) {
            violation(`answers: the same submission to ${entry.id} was answered in two ways`)
          }
        } else yield* submit(lane, entry, tasks)
        yield* pause(lane, 800)
      }
      yield* close(lane, entry)
      if (!(yield* settle(lane, entry.id))) return
      const results = yield* lane.attempt("read results", Stream.runCollect(lane.client.results(entry.id)))
      if (results === undefined) return
      const seen = new Set(results.map(({ index }) => index))
      if (seen.size !== results.length) violation(`results: suite ${entry.id} gave a task twice`)
      const missing = indexesOf(entry).filter((index) => !seen.has(index))
      if (missing.length > 0)
        violation(`results: suite ${entry.id} gave no result of ${missing.slice(0, 5).join(", ")}`)
    })

/** Tasks that are cancelled while they wait and while they run, some put back, and sometimes the whole suite ended. */
const cancelling: Round = (lane) =>
  Effect.gen(function* () {
    const { chance, client } = lane
    const entry = yield* create(lane)
    if (entry === undefined) return
    yield* submit(
      lane,
      entry,
      times(chance.whole(10, 25), () => Work.any(chance))
    )
    for (let step = chance.whole(1, 4); step > 0; step--) {
      yield* pause(lane, 2_000)
      const indexes = indexesOf(entry).filter(() => chance.isLikely(0.25))
      if (indexes.length === 0) continue
      const refusals = ["TaskStateConflict", "SuiteIsCancelled"]
      yield* chance.isLikely(0.6)
        ? lane.attempt("cancel tasks", client.cancelTasks(entry.id, indexes, "chaos"), refusals)
        : lane.attempt("retry tasks", client.retryTasks(entry.id, chance.isLikely(0.5) ? "failed" : indexes), refusals)
    }
    if (chance.isLikely(0.4)) {
      const mode = chance.isLikely(0.5) ? "force" : "graceful"
      yield* lane.attempt("cancel a suite", client.cancelSuite(entry.id, { mode, reason: "chaos" }))
    } else yield* close(lane, entry)
    yield* settle(lane, entry.id)
  })

/** One suite for the whole run, which is given tasks all the time, and is paused now and then. */
const standing: Round = (lane) =>
  Effect.gen(function* () {
    const { chance, client } = lane
    const entry = yield* create(lane, { priority: 1 })
    if (entry === undefined) return
    while (!lane.isOver()) {
      yield* submit(
        lane,
        entry,
        times(chance.whole(1, 6), () => Work.any(chance))
      )
      if (chance.isLikely(0.1)) {
        yield* lane.attempt("pause a suite", client.pauseSuite(entry.id))
        yield* pause(lane, 2_000)
        yield* lane.attempt("resume a suite", client.resumeSuite(entry.id))
      }
      yield* pause(lane, 2_500)
    }
    // A request whose answer never came may have paused it.
    yield* lane.attempt("resume a suite", client.resumeSuite(entry.id))
    yield* close(lane, entry)
    yield* settle(lane, entry.id)
  })

const rounds: ReadonlyArray<readonly [name: string, round: Round]> = [
  ["short", plain(Work.short, [20, 80])],
  ["long", plain(Work.long, [3, 8])],
  ["failing", plain(Work.failing, [5, 20])],
  ["forking", plain(Work.forking, [3, 10])],
  ["handlers", plain(Work.handler, [5, 30])],
  ["cancelling", cancelling],
  ["standing", standing]
]

export interface Options {
  readonly fleet: Fleet
  readonly seed: number
  readonly ledger: Ledger.Ledger
  readonly timeline: Timeline
  /** No more rounds are begun. */
  readonly isEnding: () => boolean
  /** Nothing is waited for any more. */
  readonly isOver: () => boolean
}

/** Runs until no more rounds are to begin and those that run have ended. */
export const run = ({
  fleet,
  isEnding,
  isOver,
  ledger,
  seed,
  timeline
}: Options): Effect.Effect<void, never, Scope.Scope> =>
  Effect.gen(function* () {
    const url = fleet.coordinators.map((coordinator) => coordinator.url)
    const token = fleet.system.adminToken
    const client = yield* fleet.system.client(url)
    const raw = yield* Effect.orDie(Connection.make({ url, token, repeatFor }))

    const attempt: Lane["attempt"] = (what, request, refusals = []) =>
      request.pipe(
        Effect.map((answer) => ({ answer })),
        Effect.catch((error) =>
          Effect.sync(() => {
            if (passing.includes(error._tag)) timeline.say(`         no answer: ${what} (${error.message})`)
            else if (!refusals.includes(error._tag)) {
              timeline.violation(`answers: ${what} was refused: ${error._tag} ${error.message}`)
            }
            return { answer: undefined }
          })
        ),
        Effect.map(({ answer }) => answer)
      )

    yield* Effect.forEach(
      rounds,
      ([name, round]) => {
        const chance = Chance.make(seed, `load ${name}`)
        const lane: Lane = {
          name,
          client,
          raw,
          chance,
          ledger,
          attempt,
          isOver: name === "standing" ? () => isEnding() : isOver
        }
        return Effect.gen(function* () {
          do {
            yield* round(lane, timeline.violation)
            yield* Effect.sleep(100)
          } while (!isEnding())
        })
      },
      { concurrency: "unbounded", discard: true }
    )
  })
