/**
 * The tasks that may be leased at once: higher priority first, then older. Holds ranges, so that neighbours of the same
 * priority cost nothing.
 */
import { RangeList } from "./RangeList.ts"

export class TaskQueue {
  /** Only priorities that have tasks: a suite may give each task one of its own. */
  private readonly lists = new Map<number, RangeList>()
  /** Priorities from `head` on, highest first: all that have tasks, and some that had. Sorted when it is needed. */
  private order: ReadonlyArray<number> | undefined
  private head = 0

  add(priority: number, first: number, last: number): void {
    let list = this.lists.get(priority)
    if (list === undefined) {
      list = new RangeList()
      this.lists.set(priority, list)
      this.order = undefined
    }
    list.add(first, last)
  }

  delete(priority: number, index: number): void {
    const list = this.lists.get(priority)
    if (list === undefined) return
    list.delete(index)
    if (list.isEmpty) this.lists.delete(priority)
  }

  /** The first `max` tasks. */
  first(max: number): Array<number> {
    const found: Array<number> = []
    if (max <= 0) return found
    const order = this.sorted()
    for (let place = this.head; place < order.length; place++) {
      const list = this.lists.get(order[place] ?? 0)
      if (list !== undefined && !list.forEach((index) => found.push(index) < max)) break
    }
    return found
  }

  private sorted(): ReadonlyArray<number> {
    if (this.order === undefined) {
      this.order = [...this.lists.keys()].toSorted((a, b) => b - a)
      this.head = 0
    }
    const order = this.order
    while (this.head < order.length && !this.lists.has(order[this.head] ?? 0)) this.head++
    return order
  }
}
