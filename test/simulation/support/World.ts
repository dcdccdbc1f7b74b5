/**
 * A world of simulated processes on one virtual clock. Nothing in it waits: when no process has anything to do, the clock
 * jumps to the next timer. A run is one synchronous function call, so nothing outside can get between two steps, and which
 * of several processes goes on next is drawn from the seed.
 */
import type { Host } from "./Host.ts"
import * as Seeded from "./Seeded.ts"

/** Where virtual time begins: any moment will do. Milliseconds since 1970. */
export const beginning = Date.UTC(2030, 0, 1)

/** So many steps without the clock moving mean that something runs in circles. */
const maxStepsAtOnce = 200_000

interface Timer {
  readonly at: number
  readonly number: number
  act: (() => void) | undefined
}

export class Stuck extends Error {}

export class World {
  /** Milliseconds since 1970. */
  now = beginning
  readonly random: Seeded.Seeded
  /** The process whose step this is. */
  current: Host | undefined
  /** Steps of processes so far. */
  steps = 0
  /** Told what happens, for people. */
  readonly tell: ((line: string) => void) | undefined
  private readonly timers: Array<Timer> = []
  private timerCount = 0
  private readonly ready: Array<Host> = []

  constructor(seed: number, tell?: (line: string) => void) {
    this.random = Seeded.make(seed)
    this.tell = tell
  }

  /** Acts after so many milliseconds, unless what it answers with is called before. */
  after(delay: number, act: () => void): () => void {
    const timer: Timer = { at: this.now + Math.max(delay, 0), number: this.timerCount++, act }
    this.push(timer)
    return () => {
      timer.act = undefined
    }
  }

  /** A process has something to do. */
  isReady(host: Host): void {
    this.ready.push(host)
  }

  /** Runs until `isOver`, or until nothing will ever happen again; answers whether it was over. */
  run(isOver: () => boolean): boolean {
    let stepsAtOnce = 0
    while (!isOver()) {
      if (this.ready.length > 0) {
        if (++stepsAtOnce > maxStepsAtOnce) throw new Stuck(`${maxStepsAtOnce} steps without a moment passing`)
        this.step()
        continue
      }
      const timer = this.pop()
      if (timer === undefined) return false
      if (timer.act === undefined) continue
      if (timer.at > this.now) stepsAtOnce = 0
      this.now = timer.at
      timer.act()
    }
    return true
  }

  private step(): void {
    const place = this.ready.length === 1 ? 0 : this.random.below(this.ready.length)
    const host = this.ready[place]
    if (host === undefined) return
    this.steps++
    this.current = host
    try {
      if (host.step()) return
    } finally {
      this.current = undefined
    }
    const last = this.ready.pop()
    if (last !== undefined && last !== host) this.ready[place] = last
  }

  private push(timer: Timer): void {
    const { timers } = this
    let place = timers.length
    timers.push(timer)
    while (place > 0) {
      const above = (place - 1) >>> 1
      const parent = timers[above]
      if (parent === undefined || !isBefore(timer, parent)) break
      timers[place] = parent
      place = above
    }
    timers[place] = timer
  }

  private pop(): Timer | undefined {
    const { timers } = this
    const first = timers[0]
    const last = timers.pop()
    if (first === undefined || last === undefined || first === last) return first
    let place = 0
    for (;;) {
      let below = 2 * place + 1
      const left = timers[below]
      if (left === undefined) break
      let child = left
      const right = timers[below + 1]
      if (right !== undefined && isBefore(right, left)) {
        child = right
        below++
      }
      if (!isBefore(child, last)) break
      timers[place] = child
      place = below
    }
    timers[place] = last
    return first
  }
}

const isBefore = (one: Timer, other: Timer): boolean =>
  one.at < other.at || (one.at === other.at && one.number < other.number)
