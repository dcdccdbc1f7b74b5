/**
 * Feeds a target, and says what it found.
 */
import { Effect } from "effect"
import { Violation } from "./Target.ts"
import type { Target } from "./Target.ts"

/** Milliseconds. A case that takes longer hangs. */
export const caseLimit = 20_000

/** How much more a program may have at the end than after the first fifth, when everything has been used once. */
const growth = { factor: 1.5, bytes: 64 * 1024 * 1024 }

export interface Outcome {
  readonly target: string
  readonly cases: number
  readonly seconds: number
  /** Bytes after the first fifth, and at the end. */
  readonly memory: readonly [number, number]
}

/** A seed with which a case failed, and why. */
export class Failed extends Error {
  override readonly name = "Failed"
  readonly target: string
  readonly seed: number
  readonly reason: string
  constructor(target: string, seed: number, reason: string) {
    super(`${target}: seed ${seed}: ${reason}`)
    this.target = target
    this.seed = seed
    this.reason = reason
  }
}

const reasonOf = (error: unknown): string => {
  if (error instanceof Violation) return error.message
  return error instanceof Error ? (error.stack ?? error.message) : String(error)
}

const within = async (work: Promise<void>): Promise<void> => {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Violation(`no end within ${caseLimit} ms`)), caseLimit)
  })
  try {
    await Promise.race([work, late])
  } finally {
    clearTimeout(timer)
  }
}

/** Tries so many cases, with the seeds from `seed` on. */
export const feed = (
  target: Target,
  cases: number,
  seed: number,
  onProgress: (done: number) => void = () => undefined
): Effect.Effect<Outcome, Failed> =>
  Effect.scoped(
    Effect.flatMap(target.open, ({ check, memory, run }) =>
      Effect.tryPromise({
        try: async () => {
          const began = performance.now()
          const warm = Math.ceil(cases / 5)
          let afterWarmUp = memory()
          let current = seed
          try {
            for (let done = 0; done < cases; done++) {
              current = seed + done
              await within(run(current))
              if ((current + 1) % target.checkEvery === 0) await within(check())
              if (done + 1 === warm) afterWarmUp = memory()
              if ((done + 1) % 1_000 === 0) onProgress(done + 1)
            }
            await within(check())
          } catch (error) {
            throw new Failed(target.name, current, reasonOf(error))
          }
          const atEnd = memory()
          if (atEnd > afterWarmUp * growth.factor + growth.bytes) {
            throw new Failed(target.name, current, `memory grew from ${afterWarmUp} to ${atEnd} bytes`)
          }
          return {
            target: target.name,
            cases,
            seconds: (performance.now() - began) / 1000,
            memory: [afterWarmUp, atEnd] as const
          }
        },
        catch: (error) => (error instanceof Failed ? error : new Failed(target.name, seed, reasonOf(error)))
      })
    )
  )
