/**
 * Who runs what, as a pure function from how things are to what should change, with the reason for everything that
 * should not.
 *
 * A machine runs one suite at a time. An idle one gets the best suite that it may run and that can use it: the one with
 * the highest priority, then the oldest. A suite can use one more machine when tasks of it wait and the workers of the
 * machines that it has are fewer than its unfinished tasks, so a small suite never takes many machines, and many suites
 * share many machines. Nothing is taken away from a suite that has tasks waiting.
 *
 * A machine that was asked to give its suite back goes on with what runs there, which may be for ever. When tasks of the
 * suite wait again meanwhile, it is assigned anew if it would get the same suite anyway once it is free, or if a better
 * suite has waited for it for so long that it may wait for ever.
 *
 * Planning what was just planned gives nothing: assigned machines are no longer free, and one that was asked to give
 * its suite back counts as on its way to whoever waits.
 */
import { Schema } from "effect"
import type { ManagerId } from "./Manager/Id.ts"
import { Timestamp } from "./Millis.ts"
import { SuiteId } from "./Suite/Id.ts"

/**
 * Why a manager does not get a suite.
 *
 * | reason | meaning |
 * |---|---|
 * | `NotSelected` | the suite names its managers, and this one is not among them |
 * | `TagsMissing` | the manager lacks these tags of the suite |
 * | `Draining` | the manager shall take no more work |
 * | `NotReady` | the manager has not said that it is ready, or is suspected |
 * | `Busy` | the manager has another suite, or is giving this one back |
 * | `GivenBack` | the manager gave the suite back unasked and is not offered it again before `until` |
 * | `NoTaskWaiting` | no task of the suite could be handed out |
 * | `EnoughSlots` | the managers that have the suite can run all of its `pending` tasks at once |
 */
export const Reason = Schema.Union([
  Schema.TaggedStruct("NotSelected", {}),
  Schema.TaggedStruct("TagsMissing", { tags: Schema.Array(Schema.String) }),
  Schema.TaggedStruct("Draining", {}),
  Schema.TaggedStruct("NotReady", {}),
  Schema.TaggedStruct("Busy", { suiteId: SuiteId }),
  Schema.TaggedStruct("GivenBack", { until: Timestamp }),
  Schema.TaggedStruct("NoTaskWaiting", {}),
  Schema.TaggedStruct("EnoughSlots", { slots: Schema.Int, pending: Schema.Int })
])
export type Reason = typeof Reason.Type

/**
 * Why a manager shall give its suite back.
 *
 * | reason | meaning |
 * |---|---|
 * | `suite_waits` | no task of its suite waits, and another suite could use the machine |
 * | `drained` | no task of its suite has been waiting for a while |
 * | `ended` | nothing of its suite has been pending for a while |
 * | `draining` | the manager shall take no more work |
 * | `not_matching` | the suite or the manager has changed, and they no longer match |
 * | `not_assigned` | it says that it has a suite that was not assigned to it (never part of a plan) |
 */
export const ReleaseReason = Schema.Literals([
  "suite_waits",
  "drained",
  "ended",
  "draining",
  "not_matching",
  "not_assigned"
])
export type ReleaseReason = typeof ReleaseReason.Type

/** A suite as the planner sees it. */
export interface Demand {
  readonly suiteId: SuiteId
  readonly tags: ReadonlyArray<string>
  /** Higher first. */
  readonly priority: number
  /** Older first. */
  readonly createdAt: number
  /** Workers that each manager starts for it; null: the manager's own number. */
  readonly workers: number | null
  /** The only managers that may run it; null: any. */
  readonly managers: ReadonlyArray<ManagerId> | null
  /** Tasks that are not settled. */
  readonly pending: number
  /** Since when no task waits; null while one does. */
  readonly drainedAt: number | null
  /** Nothing is pending. */
  readonly ended: boolean
}

/** What a manager has. */
export interface Held {
  readonly suiteId: SuiteId
  /** Workers that it starts for the suite. */
  readonly slots: number
  /** Asked to give it back. */
  readonly releasing: boolean
  /** When a plan asked for that; absent: none did, and no plan assigns it anew. */
  readonly askedAt?: number
  /** Until when it is not asked for others to give it back: the last time was in vain. */
  readonly keptUntil?: number
}

/** A manager as the planner sees it. */
export interface Offer {
  readonly managerId: ManagerId
  readonly tags: ReadonlyArray<string>
  readonly workers: number
  readonly ready: boolean
  readonly draining: boolean
  readonly assignment: Held | null
  /** Suites that it gave back unasked, and when. */
  readonly givenBack: ReadonlyArray<readonly [suiteId: SuiteId, at: number]>
}

/** How things are. */
export interface Snapshot {
  /** Milliseconds since 1970. */
  readonly now: number
  /** How long a manager is kept for a suite of which no task waits. Milliseconds. */
  readonly linger: number
  readonly suites: Iterable<Demand>
  readonly managers: Iterable<Offer>
}

export interface Assignment {
  readonly managerId: ManagerId
  readonly suiteId: SuiteId
  readonly slots: number
  /** Better suites that the manager did not get, and why; the first `maxRefused`. */
  readonly refused: ReadonlyArray<readonly [SuiteId, Reason]>
}

export interface Release {
  readonly managerId: ManagerId
  readonly suiteId: SuiteId
  readonly reason: Exclude<ReleaseReason, "not_assigned">
  /** With `suite_waits`: who could use the machine. */
  readonly waiting?: SuiteId
}

export interface Refusal {
  readonly suiteId: SuiteId
  readonly managerId: ManagerId
  readonly reason: Reason
}

/** What should change. */
export interface Plan {
  readonly assignments: ReadonlyArray<Assignment>
  readonly releases: ReadonlyArray<Release>
  /**
   * Why each pair of suite and manager is not together once the plan is carried out: of all suites, or of one. Worked
   * out when it is asked for: a thousand managers and five hundred suites have half a million reasons.
   */
  readonly refusals: (suiteId?: SuiteId) => ReadonlyArray<Refusal>
}

/** Most refusals that are kept with an assignment. */
export const maxRefused = 8

/** For how long a manager is not offered a suite that it gave back unasked. Milliseconds. */
export const giveBackPause = 5_000

/**
 * For how long others count on a manager that was asked to give its suite back. What runs there has not ended by then and
 * may never. Milliseconds.
 */
export const releasePatience = 30_000

/** Until when a manager that was asked to give its suite back in vain is left alone: as long as that took, or a while. */
export const keptUntil = (askedAt: number, at: number): number => at + Math.max(giveBackPause, at - askedAt)

/** Best first. */
const byMerit = (a: Demand, b: Demand): number =>
  b.priority - a.priority || a.createdAt - b.createdAt || (a.suiteId < b.suiteId ? -1 : 1)

/** Managers with the fewest tags first: what only few can do is kept for suites that ask for it. */
const byModesty = (a: Offer, b: Offer): number => a.tags.length - b.tags.length || (a.managerId < b.managerId ? -1 : 1)

/**
 * Why a manager can never run a suite as both are. What else a suite may one day ask of a machine as a whole (memory, a
 * graphics card) is asked here.
 */
const mismatch = (demand: Demand, offer: Offer): Reason | undefined => {
  if (demand.managers !== null && !demand.managers.includes(offer.managerId)) return { _tag: "NotSelected" }
  return hasTags(offer, demand.tags)
    ? undefined
    : { _tag: "TagsMissing", tags: demand.tags.filter((tag) => !offer.tags.includes(tag)) }
}

const hasTags = (offer: Offer, tags: ReadonlyArray<string>): boolean => tags.every((tag) => offer.tags.includes(tag))

/** Why a manager gets nothing at all now, whatever it has. */
const unavailable = (offer: Offer): Reason | undefined => {
  if (offer.draining) return { _tag: "Draining" }
  return offer.ready ? undefined : { _tag: "NotReady" }
}

const pause = (demand: Demand, offer: Offer, now: number): Reason | undefined => {
  const back = offer.givenBack.find(([suiteId]) => suiteId === demand.suiteId)
  return back !== undefined && now < back[1] + giveBackPause
    ? { _tag: "GivenBack", until: back[1] + giveBackPause }
    : undefined
}

/** How much of a machine a suite takes: all of it, in workers. */
const slotsFor = (demand: Demand, offer: Offer): number => demand.workers ?? offer.workers

/**
 * Managers to choose from, by the tags that suites ask for. Sets of managers are bits, one per manager in the order in
 * which they are preferred, so that five hundred suites are compared with a thousand managers in some ten thousand
 * steps.
 */
class Candidates {
  readonly #offers: ReadonlyArray<Offer>
  readonly #places = new Map<ManagerId, number>()
  readonly #byTag = new Map<string, Uint32Array>()
  readonly #free: Uint32Array
  #left: number

  constructor(offers: ReadonlyArray<Offer>) {
    this.#offers = offers.toSorted(byModesty)
    this.#left = offers.length
    this.#free = this.#noBits()
    for (const [place, offer] of this.#offers.entries()) {
      this.#places.set(offer.managerId, place)
      setBit(this.#free, place)
      for (const tag of offer.tags) {
        let bits = this.#byTag.get(tag)
        if (bits === undefined) this.#byTag.set(tag, (bits = this.#noBits()))
        setBit(bits, place)
      }
    }
  }

  /** Nobody is left. */
  get exhausted(): boolean {
    return this.#left === 0
  }

  /** Takes this one; answers whether it was left. */
  claim(offer: Offer): boolean {
    const place = this.#places.get(offer.managerId)
    if (place === undefined) return false
    const word = this.#free[place >>> 5] ?? 0
    const bit = 1 << (place & 31)
    if ((word & bit) === 0) return false
    this.#free[place >>> 5] = word & ~bit
    this.#left--
    return true
  }

  /** Takes managers for a suite, one after the other, as long as it is `wanted`. */
  take(demand: Demand, now: number, wanted: () => boolean, take: (offer: Offer) => void): void {
    const masks = this.#masksOf(demand)
    if (masks === undefined) return
    for (let word = 0; word < this.#free.length; word++) {
      let bits = masks.reduce((all, mask) => all & (mask[word] ?? 0), this.#free[word] ?? 0)
      while (bits !== 0) {
        if (!wanted()) return
        const place = word * 32 + 31 - Math.clz32(bits & -bits)
        bits &= bits - 1
        const offer = this.#offers[place]
        if (offer === undefined || pause(demand, offer, now) !== undefined) continue
        this.claim(offer)
        take(offer)
      }
    }
  }

  /** The sets that a manager has to be in; nothing when one of them is empty. */
  #masksOf(demand: Demand): ReadonlyArray<Uint32Array> | undefined {
    const masks: Array<Uint32Array> = []
    for (const tag of demand.tags) {
      const mask = this.#byTag.get(tag)
      if (mask === undefined) return undefined
      masks.push(mask)
    }
    if (demand.managers !== null) {
      const selected = this.#noBits()
      for (const managerId of demand.managers) {
        const place = this.#places.get(managerId)
        if (place !== undefined) setBit(selected, place)
      }
      masks.push(selected)
    }
    return masks
  }

  #noBits(): Uint32Array {
    return new Uint32Array(Math.ceil(this.#offers.length / 32))
  }
}

const setBit = (bits: Uint32Array, place: number): void => {
  const word = place >>> 5
  bits[word] = (bits[word] ?? 0) | (1 << (place & 31))
}

/** A plan in the making: how things are, and what was decided so far. */
class Draft {
  readonly snapshot: Snapshot
  readonly suites = new Map<SuiteId, Demand>()
  readonly managers: ReadonlyArray<Offer>
  /** Suites with tasks waiting, best first. */
  readonly waiting: ReadonlyArray<Demand>
  /** Workers of the managers that have a suite and shall keep it. */
  readonly slots = new Map<SuiteId, number>()
  /** What managers have once the plan is carried out, where that is not what they have now. */
  readonly changed = new Map<ManagerId, Held>()
  readonly releases: Array<Release> = []
  /** Managers that get a suite, or the same one anew. */
  readonly assigned: Array<Offer> = []

  constructor(snapshot: Snapshot) {
    this.snapshot = snapshot
    this.managers = [...snapshot.managers]
    for (const demand of snapshot.suites) this.suites.set(demand.suiteId, demand)
    this.waiting = [...this.suites.values()].filter((demand) => demand.drainedAt === null).toSorted(byMerit)
  }

  slotsOf(demand: Demand): number {
    return this.slots.get(demand.suiteId) ?? 0
  }

  /** Whether one more machine would be of use to a suite with tasks waiting. */
  wants(demand: Demand): boolean {
    return this.slotsOf(demand) < demand.pending
  }

  keep(suiteId: SuiteId, slots: number): void {
    this.slots.set(suiteId, (this.slots.get(suiteId) ?? 0) + slots)
  }

  assign(demand: Demand, offer: Offer, slots = slotsFor(demand, offer)): void {
    this.keep(demand.suiteId, slots)
    this.changed.set(offer.managerId, { suiteId: demand.suiteId, slots, releasing: false })
    this.assigned.push(offer)
  }

  release(offer: Offer, held: Held, release: Pick<Release, "reason" | "waiting">): void {
    this.releases.push({ managerId: offer.managerId, suiteId: held.suiteId, ...release })
    this.changed.set(offer.managerId, { ...held, releasing: true })
  }

  /** Why a manager that has `held` does not get a suite; nothing when it has it or could have it. */
  refusal(demand: Demand, offer: Offer, held: Held | null): Reason | undefined {
    const fixed = mismatch(demand, offer)
    if (fixed !== undefined) return fixed
    if (held !== null && held.suiteId === demand.suiteId && !held.releasing) return undefined
    const now = unavailable(offer)
    if (now !== undefined) return now
    if (held !== null) return { _tag: "Busy", suiteId: held.suiteId }
    if (demand.drainedAt !== null) return { _tag: "NoTaskWaiting" }
    return (
      pause(demand, offer, this.snapshot.now) ??
      (this.wants(demand) ? undefined : { _tag: "EnoughSlots", slots: this.slotsOf(demand), pending: demand.pending })
    )
  }

  /** The first few better suites that a manager did not get. */
  refusedBefore(offer: Offer, suiteId: SuiteId): Assignment["refused"] {
    const refused: Array<readonly [SuiteId, Reason]> = []
    for (const demand of this.waiting) {
      if (demand.suiteId === suiteId || refused.length === maxRefused) break
      const reason = this.refusal(demand, offer, null)
      if (reason !== undefined) refused.push([demand.suiteId, reason])
    }
    return refused
  }
}

/** Why a manager shall give its suite back whoever else waits. */
const mustRelease = (
  demand: Demand | undefined,
  offer: Offer,
  { linger, now }: Snapshot
): Release["reason"] | undefined => {
  if (offer.draining) return "draining"
  if (demand === undefined) return "ended"
  if (mismatch(demand, offer) !== undefined) return "not_matching"
  if (demand.drainedAt === null || now - demand.drainedAt < linger) return undefined
  return demand.ended ? "ended" : "drained"
}

export const plan = (snapshot: Snapshot): Plan => {
  const draft = new Draft(snapshot)
  const free: Array<Offer> = []
  /** Will be free soon, or could be: nothing of what they have waits. */
  const soon: Array<Offer> = []
  const leaving: Leaving = new Map()
  for (const offer of draft.managers) {
    const held = offer.assignment
    const isAvailable = unavailable(offer) === undefined
    if (held === null) {
      if (isAvailable) free.push(offer)
      continue
    }
    const demand = draft.suites.get(held.suiteId)
    const reason = mustRelease(demand, offer, snapshot)
    if (reason !== undefined && !held.releasing) draft.release(offer, held, { reason })
    const stays = !held.releasing && reason === undefined
    if (stays) draft.keep(held.suiteId, held.slots)
    if (!isAvailable || (stays && (demand?.drainedAt === null || isKept(held, snapshot.now)))) continue
    if (!isStuck(held, snapshot.now)) soon.push(offer)
    if (!stays && reason === undefined && demand?.drainedAt === null && held.askedAt !== undefined) {
      const same = leaving.get(held.suiteId)
      if (same === undefined) leaving.set(held.suiteId, [offer])
      else same.push(offer)
    }
  }
  if (free.length > 0) assignFree(draft, free)
  if (soon.length > 0 || leaving.size > 0) settleComing(draft, soon, leaving)
  return {
    assignments: draft.assigned.flatMap((offer) => {
      const held = draft.changed.get(offer.managerId)
      if (held === undefined) return []
      const { slots, suiteId } = held
      return [{ managerId: offer.managerId, suiteId, slots, refused: draft.refusedBefore(offer, suiteId) }]
    }),
    releases: draft.releases,
    refusals: (suiteId) => refusals(draft, suiteId)
  }
}

const assignFree = (draft: Draft, free: ReadonlyArray<Offer>): void => {
  const candidates = new Candidates(free)
  for (const demand of draft.waiting) {
    if (candidates.exhausted) return
    candidates.take(
      demand,
      draft.snapshot.now,
      () => draft.wants(demand),
      (offer) => draft.assign(demand, offer)
    )
  }
}

/** Managers that were asked to give back a suite of which tasks wait again. */
type Leaving = Map<SuiteId, Array<Offer>>

/** Nobody counts any more on what it was asked to give back. */
const isStuck = ({ askedAt, releasing }: Held, now: number): boolean =>
  releasing && askedAt !== undefined && now - askedAt >= releasePatience

const isKept = ({ keptUntil: until, releasing }: Held, now: number): boolean =>
  !releasing && until !== undefined && now < until

/**
 * For suites that found no free manager, best first: those that are giving the suite back take it anew, unless a better
 * one counts on them; and managers of drained suites are freed. Those on their way out already count.
 */
const settleComing = (draft: Draft, soon: ReadonlyArray<Offer>, leaving: Leaving): void => {
  const { now } = draft.snapshot
  const candidates = new Candidates(soon)
  for (const demand of draft.waiting) {
    for (const offer of leaving.get(demand.suiteId) ?? []) {
      const held = offer.assignment
      if (held === null || !draft.wants(demand)) break
      if (isStuck(held, now) || candidates.claim(offer)) draft.assign(demand, offer, held.slots)
    }
    if (candidates.exhausted) continue
    let coming = draft.slotsOf(demand)
    candidates.take(
      demand,
      now,
      () => coming < demand.pending,
      (offer) => {
        coming += slotsFor(demand, offer)
        const held = offer.assignment
        if (held === null || held.releasing || draft.changed.has(offer.managerId)) return
        draft.release(offer, held, { reason: "suite_waits", waiting: demand.suiteId })
      }
    )
  }
}

const refusals = (draft: Draft, suiteId: SuiteId | undefined): ReadonlyArray<Refusal> => {
  const found: Array<Refusal> = []
  for (const demand of draft.suites.values()) {
    if (suiteId !== undefined && demand.suiteId !== suiteId) continue
    for (const offer of draft.managers) {
      const held = draft.changed.get(offer.managerId) ?? offer.assignment
      const reason = draft.refusal(demand, offer, held)
      if (reason !== undefined) found.push({ suiteId: demand.suiteId, managerId: offer.managerId, reason })
    }
  }
  return found
}
