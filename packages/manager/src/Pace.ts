/**
 * How fast the workers get through the tasks of the suite that runs, measured as they do.
 */

/** How much of what was known is kept at each measurement. */
const memory = 0.9

/** Time that one hand-out of handler tasks should keep a worker busy. Longer ones make the end of a suite uneven. */
const batchMillis = 10

/** Hand-outs of commands may be so many times longer: what a worker has not begun comes back when one of them takes long. */
const commandFactor = 2

/** A first guess may be wrong by a lot, so hand-outs grow step by step. */
const growth = 4

export class Pace {
  /** Milliseconds that one task costs one worker; absent before the first one ended. */
  perItem: number | undefined
  private items = 0
  private millis = 0
  private largest = 1

  /** A worker that was busy for `elapsed` milliseconds got through `items` tasks in them. */
  measured(items: number, elapsed: number): void {
    this.items = this.items * memory + items
    this.millis = this.millis * memory + Math.max(0, elapsed)
    this.perItem = this.millis / this.items
    this.largest = Math.max(1, Math.min(Math.ceil(batchMillis / Math.max(this.perItem, 0.001)), this.largest * growth))
  }

  /** How many commands to hand out at once. */
  get commands(): number {
    return this.largest === 1 ? 1 : this.largest * commandFactor
  }

  /** How many handler tasks to hand out at once to a worker that runs `concurrency` of them side by side. */
  batch(concurrency: number): number {
    return Math.max(concurrency, this.largest)
  }

  /** Another suite: nothing is known of its tasks. */
  reset(): void {
    this.perItem = undefined
    this.items = 0
    this.millis = 0
    this.largest = 1
  }
}
