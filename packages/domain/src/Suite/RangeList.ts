/**
 * A sorted list of index ranges that do not touch. A million tasks submitted in a row are one range, so the queue of a
 * suite takes next to no memory, whatever its length.
 */
export class RangeList {
  private from: Array<number> = []
  private to: Array<number> = []
  /** Ranges before this one are used up; they are cut off now and then, since cutting one by one would be slow. */
  private head = 0

  /** Adds `first` to `last`, both included. What is there already stays. */
  add(first: number, last: number): void {
    const { from, to } = this
    const end = from.length
    if (end === this.head) {
      from.push(first)
      to.push(last)
      return
    }
    if (first > (to[end - 1] ?? -1) + 1) {
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

  /** Forgets indexes at the front as long as `gone` says that they are of no more use. */
  trim(gone: (index: number) => boolean): void {
    const { from, to } = this
    while (this.head < from.length) {
      let index = from[this.head] ?? 0
      const last = to[this.head] ?? -1
      while (index <= last && gone(index)) index++
      if (index <= last) {
        from[this.head] = index
        break
      }
      this.head++
    }
    if (this.head > 1024 || this.head === from.length) {
      from.splice(0, this.head)
      to.splice(0, this.head)
      this.head = 0
    }
  }

  /** Calls `visit` for each index in rising order until it answers false. */
  forEach(visit: (index: number) => boolean): void {
    for (let k = this.head; k < this.from.length; k++) {
      const last = this.to[k] ?? -1
      for (let index = this.from[k] ?? 0; index <= last; index++) if (!visit(index)) return
    }
  }

  private firstEndingAtOrAfter(index: number): number {
    let low = this.head
    let high = this.to.length
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
