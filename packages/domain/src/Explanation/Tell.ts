/**
 * An explanation in sentences, as a colleague would say it: what is the matter, why, and what helps.
 */
import type { ManagerId } from "../Manager/Id.ts"
import type { State as ManagerState } from "../Manager/State.ts"
import * as Suite from "../Suite/State.ts"
import type { TaskState } from "../Task/Attempt.ts"
import { bringsToQueue } from "./History.ts"
import type { Attempt, Entry, Noted } from "./History.ts"
import type { Holding, ManagerName, Waiting } from "./View.ts"
import * as Words from "./Words.ts"

/** What the sentences are made of. */
export interface Told {
  readonly at: number
  readonly suite: Suite.Existing
  readonly state: TaskState
  /** When it came to this state. */
  readonly since: number
  /** Of the suite as a whole, among others. */
  readonly events: ReadonlyArray<Noted>
  readonly entries: ReadonlyArray<Entry>
  readonly attempts: ReadonlyArray<Attempt>
  readonly managers: ReadonlyMap<ManagerId, ManagerState>
  readonly waiting: Waiting | null
  readonly held: Holding | null
  /** What the command line calls the task. */
  readonly id: string
  readonly nameOf: (id: ManagerId) => string
}

export interface Answer {
  readonly sentences: ReadonlyArray<string>
  /** A command that would help. */
  readonly advice: string | null
}

export const tell = (told: Told): Answer => {
  if (told.waiting !== null) return tellWaiting(told, told.waiting)
  if (told.held !== null) return tellHeld(told, told.held)
  return tellSettled(told)
}

/** `for 3m20s, since 2026-11-24T18:20:00Z`. */
const lasting = ({ at }: Told, since: number): string =>
  `for ${Words.span(Math.max(at - since, 0))}, since ${Words.clock(since)}`

/** `at 2026-11-24T18:20:00Z, 3m20s earlier`. */
const past = ({ at }: Told, time: number): string =>
  at - time < 1_000 ? `at ${Words.clock(time)}` : `at ${Words.clock(time)}, ${Words.span(at - time)} earlier`

const because = (reason: string): string => (reason === "" ? "" : ` (${reason})`)

const naming =
  ({ nameOf }: Told) =>
  (managers: ReadonlyArray<ManagerName>): string =>
    Words.names(managers.map(({ id }) => nameOf(id)))

// Waiting

const tellWaiting = (told: Told, waiting: Waiting): Answer => {
  const { suite } = told
  const { advice, sentences } = tellBarriers(told, waiting)
  const isHalted = suite.paused || suite.state === "cancelled"
  return {
    sentences: [
      `It has been waiting in the queue ${lasting(told, told.since)}, when ${howItCameToWait(told)}.`,
      ...(isHalted || waiting.retryAt !== null ? [] : [place(told, waiting)]),
      ...sentences,
      ...earlier(told)
    ],
    advice
  }
}

const howItCameToWait = ({ entries, nameOf }: Told): string => {
  const last = entries.findLast(({ said }) => bringsToQueue(said))
  if (last === undefined) return "it was submitted"
  const { actor, said } = last
  if (said._tag === "Returned") {
    const who = nameOf(said.manager)
    return said.reason === "returned"
      ? `${who} gave it back before it had begun`
      : `${who}, which had it, was lost before it had begun`
  }
  if (said._tag === "Ended") return `its ${Words.ordinal(said.result.attempt)} attempt ended`
  return said._tag === "Requeued" ? `${actor} put it back` : `${actor} submitted it`
}

const place = ({ suite }: Told, { before, priority }: Waiting): string => {
  const counts = Suite.taskCounts(suite)
  const held = counts.assigned + counts.running
  const others =
    held === 0
      ? "no task of it is with a manager"
      : `${Words.plural(held, "task")} of it ${Words.are(held)} with managers`
  const own = priority === 0 ? "" : ` (its priority is ${priority})`
  return before === 0
    ? `It is the next one of its suite to be handed out${own}; ${others}.`
    : `${Words.plural(before, "task")} of its suite ${before === 1 ? "goes" : "go"} before it${own}; ${others}.`
}

/** What keeps a queued task from running, the nearest barrier first. Where one stands, those behind it say little. */
const tellBarriers = (told: Told, waiting: Waiting): Answer => {
  const { events, suite } = told
  if (suite.state === "cancelled") return { sentences: ["Its suite is cancelled."], advice: null }
  if (suite.paused) {
    const pause = events.findLast(({ event }) => event._tag === "SuitePaused")
    const who = pause === undefined ? "" : `: ${pause.actor} paused it ${past(told, pause.recordedAt)}`
    return {
      sentences: [`Nothing of its suite is handed out, because the suite is paused${who}.`],
      advice: `muster suite resume ${suite.id}`
    }
  }
  if (waiting.retryAt !== null) return { sentences: [tellDelay(told, Date.parse(waiting.retryAt))], advice: null }
  return tellPlaces(told, waiting)
}

const tellDelay = ({ at, attempts }: Told, until: number): string => {
  const last = attempts.findLast(({ ended }) => ended !== undefined)
  const pause = last === undefined ? "" : `, the pause after its ${Words.ordinal(last.number)} attempt`
  return `It is tried again in ${Words.span(until - at)}, not before ${Words.clock(until)}${pause}.`
}

const tellPlaces = (told: Told, waiting: Waiting): Answer => {
  const { gone, known, next, refused } = waiting
  const names = naming(told)
  const keeping = waiting.working.filter(({ releasing }) => !releasing)
  const sentences: Array<string> = []
  if (!known) {
    sentences.push(
      "The planner has not heard yet that the suite has tasks waiting; it does within a moment of the commit."
    )
  }
  if (keeping.length > 0) {
    const slots = keeping.reduce((sum, one) => sum + one.slots, 0)
    const who = names(keeping.map(({ manager }) => manager))
    sentences.push(
      `${who} ${keeping.length === 1 ? "works" : "work"} on the suite with ${Words.plural(slots, "worker")}; it is handed out when its turn comes.`
    )
  }
  if (next.length > 0) {
    sentences.push(`${names(next)} ${Words.are(next.length)} free and would get the suite with the next plan.`)
  }
  const isNobody = keeping.length + next.length === 0
  if (refused.length === 0 && isNobody) {
    const left = gone.length === 0 ? "" : `; the last to go ${gone.length === 1 ? "was" : "were"} ${names(gone)}`
    return {
      sentences: [...sentences, `No manager is there to run it${left}.`],
      advice: "muster manager start --url URL, on a machine that shall work for it"
    }
  }
  if (refused.length > 0 && known) {
    sentences.push(heading(refused.length, isNobody), ...reasons(told, refused))
  }
  const lackTags = isNobody && refused.every(({ reason }) => reason._tag === "TagsMissing")
  return { sentences, advice: lackTags ? tagsAdvice(told) : null }
}

const heading = (refused: number, isNobody: boolean): string => {
  if (!isNobody) return `${Words.plural(refused, "other manager")} ${Words.were(refused)} looked at and refused:`
  return refused === 1
    ? "The only manager that is there does not get the suite:"
    : `None of the ${refused} managers that are there gets the suite:`
}

const tagsAdvice = ({ suite }: Told): string =>
  `muster manager start --tags ${(suite.spec.tags ?? []).join(",")}, on a machine that has what the suite asks for`

/** Those refused for the same reason in one line, what most of them have first. */
const reasons = (told: Told, refused: Waiting["refused"]): ReadonlyArray<string> => {
  const groups = new Map<string, Array<Waiting["refused"][number]>>()
  for (const one of refused) {
    const group = groups.get(one.why)
    if (group === undefined) groups.set(one.why, [one])
    else group.push(one)
  }
  return [...groups.values()]
    .toSorted((a, b) => b.length - a.length)
    .map((group) => {
      const [first] = group
      const why = group.length > 1 && first !== undefined ? Words.refusal(first.reason, true, told.at) : first?.why
      return `- ${naming(told)(group.map(({ manager }) => manager))} ${why ?? ""}`
    })
}

// With a manager

const tellHeld = (told: Told, held: Holding): Answer => {
  const { entries, nameOf, since, state, suite } = told
  const who = nameOf(held.manager.id)
  const attempt = `${Words.ordinal(held.attempt)} attempt`
  const sentences = [
    state === "running"
      ? `It has been running on ${who} ${lasting(told, since)}; this is its ${attempt}.`
      : `It has been with ${who} ${lasting(told, since)}, for its ${attempt}. It waits there for a worker, or has only just begun.`,
    tellLease(told, held),
    ...tellWorkers(held),
    ...tellHolder(told, held)
  ]
  if (held.cancellation !== null) {
    const { actor, at, reason } = held.cancellation
    sentences.push(
      `${actor} asked for its cancellation ${past(told, Date.parse(at))}${because(reason)}; it is cancelled as soon as its end has been seen.`
    )
  }
  const late = entries.filter(({ said }) => said._tag === "Late").length
  if (late > 0) sentences.push(tellLate(late))
  if (Suite.pending(suite) === 1) sentences.push("It is the only task of its suite that has not ended.")
  return { sentences: [...sentences, ...earlier(told)], advice: null }
}

const tellLease = ({ nameOf }: Told, { epoch, leasedAt, manager, until }: Holding): string => {
  const since = leasedAt === null ? "" : `, given at ${Words.clock(Date.parse(leasedAt))}`
  const end = until === null ? "lasts as long as that session" : `lasts until ${Words.clock(Date.parse(until))}`
  return `The lease belongs to session ${epoch} of ${nameOf(manager.id)}${since}, and ${end}.`
}

const tellWorkers = ({ workers }: Holding): ReadonlyArray<string> => {
  if (workers.length === 0) return []
  const pids = Words.list(workers.map(({ pid }) => String(pid)))
  return workers.length === 1
    ? [`That machine has one worker, process ${pids}.`]
    : [`That machine has ${workers.length} workers, processes ${pids}; the log does not say which of them has it.`]
}

/** What is wrong with the manager that has the task, if anything. */
const tellHolder = ({ at, managers }: Told, held: Holding): ReadonlyArray<string> => {
  const manager = managers.get(held.manager.id)
  if (manager === undefined || manager._tag === "Unknown") return []
  if (manager._tag === "Suspected") {
    return [
      `That manager ${Words.silence(manager.reason)} for ${Words.span(at - manager.since)}; if it does not come back, it is given up and the task goes to another one.`
    ]
  }
  if (manager._tag === "Offline" || manager.session.epoch !== held.epoch) {
    return ["That session is over; what it held is being taken back."]
  }
  const { shutdown } = manager.session
  if (shutdown === null) return []
  return [
    shutdown === "force"
      ? "That manager was asked to end at once."
      : "That manager was asked to end when what runs has finished."
  ]
}

const tellLate = (late: number): string =>
  `${Words.plural(late, "result")} of an earlier attempt came too late and changed nothing.`

/** The attempts that have ended, in a sentence each. */
const earlier = ({ attempts, nameOf }: Pick<Told, "attempts" | "nameOf">): ReadonlyArray<string> =>
  attempts.flatMap(({ ended, manager, number }) =>
    ended === undefined
      ? []
      : [
          `Its ${Words.ordinal(number)} attempt, on ${nameOf(manager)}, ${Words.ending(ended.result)}, at ${Words.clock(ended.recordedAt)}; ${ended.why}.`
        ]
  )

// Settled

const tellSettled = (told: Told): Answer => {
  const { attempts, entries, id, nameOf, since, state, suite } = told
  const settling = entries.findLast(({ said }) => said._tag === "Ended" || said._tag === "Cancelled")
  if (settling?.said._tag === "Cancelled") {
    return {
      sentences: [
        `${settling.actor} cancelled it ${past(told, since)}, while it waited in the queue${because(settling.said.reason)}.`,
        ...suiteCancellation(told),
        ...earlier(told)
      ],
      advice: null
    }
  }
  const last = attempts.findLast(({ ended }) => ended !== undefined)
  if (last?.ended === undefined) return { sentences: [], advice: null }
  const { ended, number } = last
  const how = Words.ending(ended.result)
  const on = `on ${nameOf(last.manager)}`
  const isOnly = attempts.length === 1
  const head =
    state === "succeeded"
      ? `It ${how} ${on}, ${past(told, since)}${isOnly ? "" : `, at its ${Words.ordinal(number)} attempt`}.`
      : `It is ${state}: its ${isOnly ? "only" : Words.ordinal(number)} attempt, ${on}, ${how}, ${past(told, since)}; ${ended.why}.`
  const late = entries.filter(({ said }) => said._tag === "Late").length
  const request = entries.findLast(({ said }) => said._tag === "CancellationRequested")
  return {
    sentences: [
      head,
      ...(state === "cancelled" && request?.said._tag === "CancellationRequested"
        ? [`${request.actor} had asked for that ${past(told, request.recordedAt)}${because(request.said.reason)}.`]
        : []),
      ...earlier({ nameOf, attempts: attempts.filter((attempt) => attempt !== last) }),
      ...(late === 0 ? [] : [tellLate(late)])
    ],
    advice: state === "failed" && suite.state !== "cancelled" ? `muster task retry ${id}` : null
  }
}

/** Who cancelled the suite and why, when that was what cancelled the task. */
const suiteCancellation = (told: Told): ReadonlyArray<string> => {
  const found = told.events.findLast(({ event }) => event._tag === "SuiteCancelled")
  if (found?.event._tag !== "SuiteCancelled") return []
  return [`Its suite was cancelled by ${found.actor} ${past(told, found.recordedAt)}${because(found.event.reason)}.`]
}
