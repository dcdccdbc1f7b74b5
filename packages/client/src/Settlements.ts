/**
 * Which results have been seen already. After a lost connection a stream of results starts again from the first; what was
 * handed out before is then left out. Four bytes per task, so that a million of them cost nothing worth mentioning.
 */
export interface Settlements {
  /** Whether this attempt's result is new; from now on it is not. */
  readonly isNew: (index: number, attempt: number) => boolean
}

export const make = (): Settlements => {
  let seen = new Int32Array(1024)
  return {
    isNew: (index, attempt) => {
      if (index >= seen.length) {
        const larger = new Int32Array(Math.max(index + 1, seen.length * 2))
        larger.set(seen)
        seen = larger
      }
      // Tasks that never ran have attempt 0, so what is kept is one more.
      if ((seen[index] ?? 0) > attempt) return false
      seen[index] = attempt + 1
      return true
    }
  }
}
