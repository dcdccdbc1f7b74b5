/**
 * Which tasks wait for their next attempt, and until when. A heap, because half a million failed tasks may wait while
 * others are leased, and none of these leases may look at all of them.
 */
interface Entry {
  readonly index: number
  readonly time: number
}

export class Delays {
  private readonly times = new Map<number, number>()
  /** No entry is due before its parent at `(place - 1) >> 1`. May hold what waits no more, or not until then. */
  private readonly heap: Array<Entry> = []

  get size(): number {
    return this.times.size
  }

  get(index: number): number | undefined {
    return this.times.get(index)
  }

  entries(): IterableIterator<[index: number, time: number]> {
    return this.times.entries()
  }

  set(index: number, time: number): void {
    this.times.set(index, time)
    this.push({ index, time })
  }

  delete(index: number): void {
    this.times.delete(index)
  }

  /** When the first task is due, if one waits. */
  first(): number | undefined {
    for (let entry = this.heap[0]; entry !== undefined; entry = this.heap[0]) {
      if (this.holds(entry)) return entry.time
      this.pop()
    }
    return undefined
  }

  /** The tasks that are due, in no order. */
  due(now: number): ReadonlySet<number> {
    const found = new Set<number>()
    const places = [0]
    for (let place = places.pop(); place !== undefined; place = places.pop()) {
      const entry = this.heap[place]
      if (entry === undefined || entry.time > now) continue
      if (this.holds(entry)) found.add(entry.index)
      places.push(2 * place + 1, 2 * place + 2)
    }
    return found
  }

  /** Takes out the tasks that are due. */
  take(now: number): ReadonlySet<number> {
    const found = this.due(now)
    for (const index of found) this.times.delete(index)
    // They are the first in the heap; so everything that is due goes, and what else is there stays.
    while ((this.heap[0]?.time ?? Infinity) <= now) this.pop()
    return found
  }

  private holds(entry: Entry): boolean {
    return this.times.get(entry.index) === entry.time
  }

  private push(entry: Entry): void {
    const { heap } = this
    let place = heap.length
    while (place > 0) {
      const above = (place - 1) >> 1
      const parent = heap[above]
      if (parent === undefined || parent.time <= entry.time) break
      heap[place] = parent
      place = above
    }
    heap[place] = entry
  }

  private pop(): void {
    const { heap } = this
    const last = heap.pop()
    if (last === undefined || heap.length === 0) return
    let place = 0
    for (;;) {
      const left = 2 * place + 1
      const below = (heap[left + 1]?.time ?? Infinity) < (heap[left]?.time ?? Infinity) ? left + 1 : left
      const child = heap[below]
      if (child === undefined || child.time >= last.time) break
      heap[place] = child
      place = below
    }
    heap[place] = last
  }
}
