/**
 * Plain tasks as the database has them: no row each, but ranges. `suites.plain` has all of a suite, `leases.tasks` those of
 * them that a session holds. Here it is gathered what a commit does to both, so that each row is written once: first all
 * that leaves is taken out, then all that comes is put in.
 */
import type { Epoch, ManagerId } from "@muster/domain/Manager/Id"
import type { Range } from "@muster/domain/Suite/Events"
import type { Holder } from "@muster/domain/Suite/Holders"
import { RangeList, ofRanges, without } from "@muster/domain/Suite/RangeList"
import type { Existing } from "@muster/domain/Suite/State"
import { Phase } from "@muster/domain/Suite/TaskTable"
import type { Write } from "../EventStore.ts"
import * as Param from "../Param.ts"
import * as Fitting from "./Fitting.ts"

/** Plain tasks in a row that stand the same: with one session, or in the queue. */
export interface Run {
  readonly first: number
  readonly last: number
  readonly holder: Holder | undefined
}

/** Who has the plain tasks of these ranges. Those that do not exist yet will be in the queue. */
export const runs = ({ holders, tasks }: Existing, ranges: ReadonlyArray<Range>): ReadonlyArray<Run> => {
  const found: Array<Run> = []
  const placeOf = (index: number) => (tasks.phase[index] === Phase.assigned ? (tasks.holder[index] ?? -1) : -1)
  for (const [from, to] of ranges) {
    for (let first = from; first <= to;) {
      const place = placeOf(first)
      let last = first
      while (last < to && placeOf(last + 1) === place) last++
      found.push({ first, last, holder: place < 0 ? undefined : holders.at(place) })
      first = last + 1
    }
  }
  return found
}

/** What a commit does to the plain tasks of a suite. A task that is told apart never is plain again. */
export class PlainChanges {
  private readonly added: Array<Range> = []
  private readonly removed: Array<Range> = []

  add(ranges: ReadonlyArray<Range>): void {
    for (const range of ranges) this.added.push(range)
  }

  remove(ranges: ReadonlyArray<Range>): void {
    for (const range of ranges) this.removed.push(range)
  }

  came(): ReadonlyArray<Range> {
    return without(ofRanges(this.added).ranges(), this.gone())
  }

  gone(): ReadonlyArray<Range> {
    return ofRanges(this.removed).ranges()
  }
}

interface Session {
  readonly manager: ManagerId
  readonly epoch: Epoch
}

interface Gain {
  readonly manager: ManagerId
  /** As its column has it. */
  readonly epoch: number
  readonly tasks: RangeList
}

const epochOf = ({ epoch }: Session): number => Fitting.int(epoch) ?? 0

/**
 * What a commit does to the leases of plain tasks. A task has one holder at a time, so whatever happens to it, it is taken
 * from all who had it and given to the last who got it.
 */
export class LeaseChanges {
  /** By manager and epoch: what each session got and still has. All sessions that a commit takes from are here too. */
  private readonly sessions = new Map<string, Gain>()
  private readonly lost: Array<Range> = []
  /** Sessions that are over: up to this epoch of each manager. */
  private readonly over = new Map<ManagerId, number>()
  private isOver = false

  lease(session: Session, ranges: ReadonlyArray<Range>): void {
    if (ranges.length === 0) return
    const { tasks } = this.of(session)
    for (const [first, last] of ranges) tasks.add(first, last)
  }

  release(given: ReadonlyArray<Run>): void {
    for (const { first, holder, last } of given) {
      if (holder === undefined) continue
      this.of(holder).tasks.remove(first, last)
      this.lost.push([first, last])
    }
  }

  /** Sessions of a manager are over, and have given back what they had. */
  end(session: Session): void {
    const epoch = epochOf(session)
    this.over.set(session.manager, Math.max(epoch, this.over.get(session.manager) ?? epoch))
    for (const [key, { epoch: of, manager }] of this.sessions) {
      if (manager === session.manager && of <= epoch) this.sessions.delete(key)
    }
  }

  /** Nobody holds anything. */
  endAll(): void {
    this.isOver = true
    this.sessions.clear()
  }

  writes(suiteId: string): ReadonlyArray<Write> {
    const sessions = [...this.sessions.values()]
    const managers = Param.texts(sessions.map(({ manager }) => manager))
    const epochs = Param.ints(sessions.map(({ epoch }) => epoch))
    const writes: Array<Write> = []
    if (this.isOver || this.over.size > 0) {
      writes.push({
        text: `
          delete from leases l where l.suite_id = $1
            and ($2 or exists (
              select from unnest($3::text[], $4::int[]) as o(manager, epoch)
              where l.manager = o.manager and l.epoch <= o.epoch
            ))
            and not exists (
              select from unnest($5::text[], $6::int[]) as o(manager, epoch)
              where l.manager = o.manager and l.epoch = o.epoch
            )`,
        params: [
          suiteId,
          this.isOver,
          Param.texts([...this.over.keys()]),
          Param.ints([...this.over.values()]),
          managers,
          epochs
        ]
      })
    }
    if (sessions.length > 0) {
      writes.push({
        text: `
          insert into leases (suite_id, manager, epoch, tasks)
          select $1, r.manager, r.epoch, r.tasks::int4multirange
          from unnest($2::text[], $3::int[], $4::text[]) as r(manager, epoch, tasks)
          on conflict (suite_id, manager, epoch) do update
          set tasks = (leases.tasks - $5::text::int4multirange) + excluded.tasks`,
        params: [
          suiteId,
          managers,
          epochs,
          Param.texts(sessions.map(({ tasks }) => Param.multirange(tasks.ranges()))),
          Param.multirange(ofRanges(this.lost).ranges())
        ]
      })
    }
    return writes
  }

  private of(session: Session): Gain {
    const epoch = epochOf(session)
    const key = `${session.manager} ${epoch}`
    const known = this.sessions.get(key)
    if (known !== undefined) return known
    const gain: Gain = { manager: session.manager, epoch, tasks: new RangeList() }
    this.sessions.set(key, gain)
    return gain
  }
}
