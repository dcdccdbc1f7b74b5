/**
 * A sorted list of index ranges that do not touch. A million tasks submitted in a row are one range, so the queue of a
 * suite takes next to no memory, whatever its length.
 */
export class RangeList {
  private readonly from: Array<number> = []
  private readonly to: Array<number> = []
  /** Ranges before this one are used up; they are cut off now and then, since cutting one by one would be slow. */
  private head = 0

  get isEmpty(): boolean {
    return this.head === this.from.length
  }

  has(index: number): boolean {
    const place = this.firstEndingAtOrAfter(index)
    return (this.from[place] ?? Infinity) <= index
  }

  /** Adds `first` to `last`, both included. What is there already stays. */
  add(first: number, last: number): void {
    if (first > last) return
    const { from, to } = this
    const end = from.length
    if (this.isEmpty || first > (to[end - 1] ?? -1) + 1) {
      from.push(first)
      to.push(last)
      return
    }
    const start = this.firstEndingAtOrAfter(first - 1)
    let stop = start
    let low = first
    let high = last
    while (stop < end && (from[stop] ?? 0) <= last + 1) {
      low = Math.min(low, from[stop] ?? low)
      high = Math.max(high, to[stop] ?? high)
      stop++
    }
    from.splice(start, stop - start, low)
    to.splice(start, stop - start, high)
  }

  /** Takes an index out. What is not there stays away. */
  delete(index: number): void {
    const { from, to } = this
    const place = this.firstEndingAtOrAfter(index)
    const first = from[place]
    const last = to[place]
    if (first === undefined || last === undefined || first > index) return
    if (first === last) {
      this.drop(place)
    } else if (first === index) {
      from[place] = index + 1
    } else if (last === index) {
      to[place] = index - 1
    } else {
      from.splice(place + 1, 0, index + 1)
      to.splice(place, 0, index - 1)
    }
  }

  /** Calls `visit` for each index in rising order until it answers false; says whether it got to the end. */
  forEach(visit: (index: number) => boolean): boolean {
    for (let place = this.head; place < this.from.length; place++) {
      const last = this.to[place] ?? -1
      for (let index = this.from[place] ?? 0; index <= last; index++) if (!visit(index)) return false
    }
    return true
  }

  /** Each range as first and last index, both included. */
  ranges(): Array<[number, number]> {
    const found: Array<[number, number]> = []
    for (let place = this.head; place < this.from.length; place++) {
      found.push([this.from[place] ?? 0, this.to[place] ?? -1])
    }
    return found
  }

  private drop(place: number): void {
    const { from, to } = this
    if (place > this.head) {
      from.splice(place, 1)
      to.splice(place, 1)
      return
    }
    this.head++
    if (this.isEmpty || (this.head > 1024 && this.head * 2 > from.length)) {
      from.splice(0, this.head)
      to.splice(0, this.head)
      this.head = 0
    }
  }

  private firstEndingAtOrAfter(index: number): number {
    let low = this.head
    let high = this.to.length
    // Most of what is looked for stands in front: tasks leave the queue from there.
    if (low < high && index <= (this.to[low] ?? -1)) return low
    while (low < high) {
      const middle = (low + high) >>> 1
      if ((this.to[middle] ?? 0) < index) low = middle + 1
      else high = middle
    }
    return low
  }
}

/** Joins indexes into ranges, whatever their order. */
export const fromIndexes = (indexes: ReadonlyArray<number>): Array<[number, number]> => {
  const ranges: Array<[number, number]> = []
  let open: [number, number] | undefined
  for (const index of indexes.toSorted((a, b) => a - b)) {
    if (open !== undefined && index <= open[1] + 1) {
      open[1] = index
    } else {
      open = [index, index]
      ranges.push(open)
    }
  }
  return ranges
}
