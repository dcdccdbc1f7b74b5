/**
 * Random numbers that follow from a seed (sfc32): fast, and the same on every machine.
 */
export interface Seeded {
  /** In [0, 1). */
  readonly next: () => number
  /** A whole number in [0, limit). */
  readonly below: (limit: number) => number
  /** In [from, to). */
  readonly between: (from: number, to: number) => number
  readonly chance: (probability: number) => boolean
  readonly pick: <A>(from: readonly [A, ...ReadonlyArray<A>]) => A
  /** One of them, if there is one. */
  readonly oneOf: <A>(from: ReadonlyArray<A>) => A | undefined
  /** Numbers of their own, that do not depend on how many are drawn here later. */
  readonly fork: () => Seeded
}

/** Spreads the bits of a seed (splitmix32). */
const spread = (seed: number) => {
  let state = seed >>> 0
  return () => {
    state = (state + 0x9e3779b9) >>> 0
    let mixed = state
    mixed = Math.imul(mixed ^ (mixed >>> 16), 0x21f0aaad)
    mixed = Math.imul(mixed ^ (mixed >>> 15), 0x735a2d97)
    return (mixed ^ (mixed >>> 15)) >>> 0
  }
}

export const make = (seed: number): Seeded => {
  const bits = spread(seed)
  let a = bits()
  let b = bits()
  let c = bits()
  let counter = bits()
  const next = () => {
    const sum = (((a + b) | 0) + counter) | 0
    counter = (counter + 1) | 0
    a = b ^ (b >>> 9)
    b = (c + (c << 3)) | 0
    c = (c << 21) | (c >>> 11)
    c = (c + sum) | 0
    return (sum >>> 0) / 4_294_967_296
  }
  for (let round = 0; round < 12; round++) next()
  const below = (limit: number) => Math.floor(next() * limit)
  return {
    next,
    below,
    between: (from, to) => from + next() * (to - from),
    chance: (probability) => next() < probability,
    pick: (from) => from[below(from.length)] ?? from[0],
    oneOf: (from) => from[below(from.length)],
    fork: () => make(below(4_294_967_296))
  }
}
