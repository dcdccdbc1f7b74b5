/**
 * The sessions that hold tasks, and how many. Tasks name theirs by its place, which is given to another session when it
 * holds no task any more.
 */
import type { Epoch, ManagerId } from "../Manager/Id.ts"

export interface Holder {
  readonly manager: ManagerId
  readonly epoch: Epoch
  tasks: number
}

export class Holders {
  /** By place. */
  private readonly all: Array<Holder> = []
  private readonly free: Array<number> = []
  /** Places of a manager's sessions that hold tasks: one, or two while an older session's end is not known here. */
  private readonly places = new Map<ManagerId, Array<number>>()

  at(place: number): Holder | undefined {
    return this.all[place]
  }

  /** All places: those that are free say who had them last. */
  list(): ReadonlyArray<Holder> {
    return this.all
  }

  /** Sessions of a manager that hold tasks, with their places, older ones first. */
  of(manager: ManagerId): Array<readonly [place: number, holder: Holder]> {
    return (this.places.get(manager) ?? [])
      .flatMap((place) => {
        const holder = this.all[place]
        return holder === undefined ? [] : [[place, holder] as const]
      })
      .toSorted(([, x], [, y]) => x.epoch - y.epoch)
  }

  /** The place of a session, or nothing when it holds no task. */
  place(manager: ManagerId, epoch: Epoch): number | undefined {
    return this.places.get(manager)?.find((place) => this.all[place]?.epoch === epoch)
  }

  /** Notes that a session has so many more tasks; answers its place. */
  gain(manager: ManagerId, epoch: Epoch, tasks: number): number {
    const known = this.place(manager, epoch)
    const holder = known === undefined ? undefined : this.all[known]
    if (known !== undefined && holder !== undefined) {
      holder.tasks += tasks
      return known
    }
    const place = this.free.pop() ?? this.all.length
    this.all[place] = { manager, epoch, tasks }
    const places = this.places.get(manager)
    if (places === undefined) this.places.set(manager, [place])
    else places.push(place)
    return place
  }

  /** Notes that the session at this place has one task less. */
  lose(place: number): void {
    const holder = this.all[place]
    if (holder === undefined || holder.tasks === 0) return
    holder.tasks--
    if (holder.tasks > 0) return
    this.free.push(place)
    const rest = (this.places.get(holder.manager) ?? []).filter((one) => one !== place)
    if (rest.length === 0) this.places.delete(holder.manager)
    else this.places.set(holder.manager, rest)
  }
}
