/**
 * A sorted list of index ranges that do not touch. A million tasks submitted in a row are one range, so the queue of a
 * suite takes next to no memory, whatever its length.
 */
export class RangeList {
  private readonly from: Array<number> = []
  private readonly to: Array<number> = []
  /** Ranges before this one are used up; they are cut off now and then, since cutting one by one would be slow. */
  private head = 0

  /** Number of ranges. */
  get count(): number {
    return this.from.length - this.head
  }

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
    this.remove(index, index)
  }

  /** Takes `first` to `last` out, both included. What is not there stays away. */
  remove(first: number, last: number): void {
    if (first > last) return
    const { from, to } = this
    const start = this.firstEndingAtOrAfter(first)
    const stop = this.firstBeginningAfter(last, start)
    if (start === stop) return
    const beginsBefore = (from[start] ?? first) < first
    const endsBehind = (to[stop - 1] ?? last) > last
    if (beginsBefore && endsBehind && stop - start === 1) {
      from.splice(stop, 0, last + 1)
      to.splice(start, 0, first - 1)
      return
    }
    if (beginsBefore) to[start] = first - 1
    if (endsBehind) from[stop - 1] = last + 1
    this.drop(beginsBefore ? start + 1 : start, endsBehind ? stop - 1 : stop)
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

  /** What there is of `first` to `last`, both included. */
  within(first: number, last: number): Array<[number, number]> {
    const found: Array<[number, number]> = []
    if (first > last) return found
    for (
      let place = this.firstEndingAtOrAfter(first);
      place < this.from.length && (this.from[place] ?? 0) <= last;
      place++
    ) {
      found.push([Math.max(this.from[place] ?? 0, first), Math.min(this.to[place] ?? -1, last)])
    }
    return found
  }

  /** Takes whole ranges out, from one place to before another. */
  private drop(start: number, stop: number): void {
    if (start >= stop) return
    const { from, to } = this
    if (start > this.head) {
      from.splice(start, stop - start)
      to.splice(start, stop - start)
      return
    }
    this.head = stop
    if (this.isEmpty || (this.head > 1024 && this.head * 2 > from.length)) {
      from.splice(0, this.head)
      to.splice(0, this.head)
      this.head = 0
    }
  }

  private firstBeginningAfter(index: number, start: number): number {
    let place = start
    while (place < this.from.length && (this.from[place] ?? 0) <= index) place++
    return place
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

/** A list of these ranges, whatever their order. */
export const ofRanges = (ranges: ReadonlyArray<readonly [number, number]>): RangeList => {
  const list = new RangeList()
  // In rising order each is put at the end. Anywhere else it would be put between the others, one by one.
  for (const [first, last] of ranges.toSorted((a, b) => a[0] - b[0])) list.add(first, last)
  return list
}

/** What of some ranges is in none of the others. Both in rising order. */
export const without = (
  ranges: ReadonlyArray<readonly [number, number]>,
  others: ReadonlyArray<readonly [number, number]>
): Array<[number, number]> => {
  const found: Array<[number, number]> = []
  let place = 0
  for (const [first, last] of ranges) {
    let next = first
    while ((others[place]?.[1] ?? Infinity) < first) place++
    for (let other = others[place]; other !== undefined && other[0] <= last; other = others[++place]) {
      if (next < other[0]) found.push([next, other[0] - 1])
      next = Math.max(next, other[1] + 1)
      // It may reach into the next range.
      if (other[1] > last) break
    }
    if (next <= last) found.push([next, last])
  }
  return found
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
