/**
 * Attempts that were taken from managers which were given up for lost, and whose results may still come: a manager may
 * only have been cut off. This tells a late result from a repeated one, and from one that somebody made up.
 */
import type { ManagerId } from "../Manager/Id.ts"
import { RangeList } from "./RangeList.ts"

export class Outstanding {
  /** By manager, then by number of the attempt. A lost lease of many tasks is mostly one range. */
  private readonly managers = new Map<ManagerId, Map<number, RangeList>>()

  add(manager: ManagerId, index: number, attempt: number): void {
    this.addRange(manager, attempt, index, index)
  }

  addRange(manager: ManagerId, attempt: number, first: number, last: number): void {
    let attempts = this.managers.get(manager)
    if (attempts === undefined) {
      attempts = new Map()
      this.managers.set(manager, attempts)
    }
    let indexes = attempts.get(attempt)
    if (indexes === undefined) {
      indexes = new RangeList()
      attempts.set(attempt, indexes)
    }
    indexes.add(first, last)
  }

  has(manager: ManagerId, index: number, attempt: number): boolean {
    return this.managers.get(manager)?.get(attempt)?.has(index) ?? false
  }

  delete(manager: ManagerId, index: number, attempt: number): void {
    const attempts = this.managers.get(manager)
    const indexes = attempts?.get(attempt)
    if (attempts === undefined || indexes === undefined) return
    indexes.delete(index)
    if (!indexes.isEmpty) return
    attempts.delete(attempt)
    if (attempts.size === 0) this.managers.delete(manager)
  }

  /** All of it: manager, number of the attempt, ranges of tasks. */
  entries(): Array<readonly [ManagerId, number, ReadonlyArray<readonly [number, number]>]> {
    return [...this.managers].flatMap(([manager, attempts]) =>
      [...attempts].map(([attempt, indexes]) => [manager, attempt, indexes.ranges()] as const)
    )
  }
}
