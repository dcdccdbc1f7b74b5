/**
 * Random choices that are a function of a seed, so that a run can be repeated. Each part of a run has a source of its own:
 * what one part draws does not change what another one gets.
 */
export interface Chance {
  /** In [0, 1). */
  readonly next: () => number
  /** From `low` to below `high`. */
  readonly between: (low: number, high: number) => number
  /** A whole number from `low` to `high`, both included. */
  readonly whole: (low: number, high: number) => number
  readonly isLikely: (probability: number) => boolean
  readonly one: <A>(of: readonly [A, ...ReadonlyArray<A>]) => A
  /** One of several, each as often as its weight says. */
  readonly weighted: <A extends { readonly weight: number }>(of: readonly [A, ...ReadonlyArray<A>]) => A
}

/** FNV-1a. */
const hash = (text: string): number => {
  let value = 0x811c9dc5
  for (let place = 0; place < text.length; place++) value = Math.imul(value ^ text.charCodeAt(place), 0x01000193)
  return value >>> 0
}

/** Numbers in [0, 1), by `mulberry32`: 32 bits of state are plenty for a few thousand choices. */
export const numbers = (seed: number): (() => number) => {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

export const make = (seed: number, part: string): Chance => {
  const next = numbers(hash(`${seed} ${part}`))
  const between = (low: number, high: number) => low + next() * (high - low)
  const whole = (low: number, high: number) => Math.floor(between(low, high + 1))
  return {
    next,
    between,
    whole,
    isLikely: (probability) => next() < probability,
    one: (of) => of[whole(0, of.length - 1)] ?? of[0],
    weighted: (of) => {
      let left = next() * of.reduce((sum, { weight }) => sum + weight, 0)
      return of.find(({ weight }) => (left -= weight) < 0) ?? of[0]
    }
  }
}
