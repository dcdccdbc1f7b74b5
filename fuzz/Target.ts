/**
 * What bad input is tried on. A case is made from its seed alone, so that the one that failed can be tried again by
 * itself.
 */
import type { Effect, Scope } from "effect"

/** Ready to be fed. */
export interface Opened {
  /** Tries one case. Rejects with a `Violation` when it found something. */
  readonly run: (seed: number) => Promise<void>
  /** Whether all is as it was: nothing stored, nothing ended, nothing stuck. Asked now and then, and at the end. */
  readonly check: () => Promise<void>
  /** Bytes that the program under test has now. */
  readonly memory: () => number
}

export interface Target {
  readonly name: string
  /** In words, for the report. */
  readonly what: string
  /** Its part of all cases, as a weight. */
  readonly weight: number
  /** Cases between two checks. */
  readonly checkEvery: number
  readonly open: Effect.Effect<Opened, never, Scope.Scope>
}

/** A property does not hold. */
export class Violation extends Error {
  override readonly name = "Violation"
}

export const violated = (what: string, detail?: unknown): never => {
  throw new Violation(detail === undefined ? what : `${what}: ${show(detail)}`)
}

const longest = 600

/** Anything as one short line. */
export const show = (value: unknown): string => {
  const text = value instanceof Uint8Array ? Buffer.from(value).toString("latin1") : String(value)
  const line = JSON.stringify(text)
  return line.length > longest ? `${line.slice(0, longest)}… (${text.length} characters)` : line
}

/** Words of a program that stumbled, which no caller should ever read. */
const stumbled =
  /TypeError|RangeError|ReferenceError|SyntaxError: (?!.*JSON)|is not a function|Cannot read prop|\n\s+at .*(?:\(|:\d+:\d+)|node_modules|node:internal|Maximum call stack/

export const assertNoBug = (answer: string): void => {
  if (stumbled.test(answer)) violated("the answer tells of a bug", answer)
}
