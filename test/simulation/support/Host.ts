/**
 * One simulated operating-system process that runs Effect programs: it has its own scheduler, clock and random numbers, and
 * can be frozen (nothing of it runs while time goes on), woken, and killed (nothing of it ever runs again, no finalizer
 * either). A process that is started again is another host.
 *
 * Whatever comes from outside has to come through `post`: what runs, runs as a step of its own process.
 */
import { Clock, Context, Duration, Effect, Logger, Random, References, Scheduler } from "effect"
import type { Exit, Fiber } from "effect"
import { beginning } from "./World.ts"
import type { World } from "./World.ts"

export class Host {
  readonly world: World
  /** Of the machine: links are cut and slow by it. */
  readonly name: string
  /** What an effect of this process is run with. */
  readonly context: Context.Context<never>
  /** How far its wall clock is off. Milliseconds. */
  skew: number
  private state: "running" | "frozen" | "dead" = "running"
  private tasks: Array<() => void> = []
  private place = 0
  private isQueued = false
  private readonly begun: number
  private readonly onDeath = new Set<() => void>()

  constructor(world: World, name: string, options: { readonly skew?: number } = {}) {
    this.world = world
    this.name = name
    this.skew = options.skew ?? 0
    this.begun = world.now
    const random = world.random.fork()
    const nextInt = () => Math.floor((random.next() - 0.5) * 2 * Number.MAX_SAFE_INTEGER)
    const scheduler = new Scheduler.MixedScheduler("async", (task) => {
      let isCancelled = false
      this.post(() => {
        if (!isCancelled) task()
      })
      return () => {
        isCancelled = true
      }
    })
    const base = Context.make(Scheduler.Scheduler, scheduler).pipe(
      Context.add(Clock.Clock, this.clock()),
      Context.add(Random.Random, { nextDoubleUnsafe: random.next, nextIntUnsafe: nextInt })
    )
    const { tell } = world
    this.context =
      tell === undefined
        ? Context.add(base, References.MinimumLogLevel, "None")
        : base.pipe(
            Context.add(References.MinimumLogLevel, "Debug"),
            Context.add(Logger.CurrentLoggers, new Set([this.logger(tell)]))
          )
  }

  get isAlive(): boolean {
    return this.state !== "dead"
  }

  get isFrozen(): boolean {
    return this.state === "frozen"
  }

  /** Wall clock of this process, milliseconds since 1970. */
  wallClock(): number {
    return Math.floor(this.world.now + this.skew)
  }

  /** Milliseconds since the process began. */
  monotonic(): number {
    return this.world.now - this.begun
  }

  /** Seconds since the machine was started: some time before the world began. */
  uptime(): number {
    return 1_000 + (this.world.now - beginning) / 1_000
  }

  /** As `BootClock.ts` reads it. */
  bootClock(): number {
    return Math.round(this.uptime() * 1_000)
  }

  /** Has the process do something as soon as it can. */
  post(task: () => void): void {
    if (this.state === "dead") return
    this.tasks.push(task)
    this.queue()
  }

  /** Has the process do something later. */
  later(delay: number, task: () => void): () => void {
    return this.world.after(delay, () => this.post(task))
  }

  /** One task. Answers whether there is another. Called by the world only. */
  step(): boolean {
    const task = this.state === "running" ? this.tasks[this.place] : undefined
    if (task === undefined) {
      this.isQueued = false
      return false
    }
    this.place++
    if (this.place === this.tasks.length) {
      this.tasks = []
      this.place = 0
    }
    task()
    // It may have been killed or frozen by what it did.
    const hasMore = this.state === "running" && this.tasks.length > 0
    if (!hasMore) this.isQueued = false
    return hasMore
  }

  fork<A, E>(effect: Effect.Effect<A, E>, onExit?: (exit: Exit.Exit<A, E>) => void): Fiber.Fiber<A, E> {
    const fiber = Effect.runForkWith(this.context)(effect)
    if (onExit !== undefined) fiber.addObserver(onExit)
    return fiber
  }

  freeze(): void {
    if (this.state === "running") this.state = "frozen"
  }

  thaw(): void {
    if (this.state !== "frozen") return
    this.state = "running"
    this.queue()
  }

  kill(): void {
    if (this.state === "dead") return
    this.state = "dead"
    this.tasks = []
    this.place = 0
    for (const act of this.onDeath) act()
    this.onDeath.clear()
  }

  /** What the system does when the process dies. */
  whenDead(act: () => void): () => void {
    this.onDeath.add(act)
    return () => this.onDeath.delete(act)
  }

  private queue(): void {
    if (this.isQueued || this.state !== "running" || this.place >= this.tasks.length) return
    this.isQueued = true
    this.world.isReady(this)
  }

  private clock(): Clock.Clock {
    const nanos = (millis: number) => BigInt(Math.round(millis * 1_000_000))
    return {
      currentTimeMillisUnsafe: () => this.wallClock(),
      currentTimeMillis: Effect.sync(() => this.wallClock()),
      currentTimeNanosUnsafe: () => nanos(this.wallClock()),
      currentTimeNanos: Effect.sync(() => nanos(this.wallClock())),
      monotonicTimeNanosUnsafe: () => nanos(this.monotonic()),
      monotonicTimeNanos: Effect.sync(() => nanos(this.monotonic())),
      sleep: (duration) => {
        const millis = Duration.toMillis(duration)
        if (millis <= 0) return Effect.yieldNow
        if (!Number.isFinite(millis)) return Effect.never
        return Effect.callback<void>((resume) => {
          const cancel = this.later(millis, () => resume(Effect.void))
          return Effect.sync(cancel)
        })
      }
    }
  }

  private logger(tell: (line: string) => void) {
    return Logger.make<unknown, void>(({ cause, logLevel, message }) => {
      const text = (Array.isArray(message) ? message : [message])
        .map((part) => (part instanceof Error ? part.message : typeof part === "string" ? part : JSON.stringify(part)))
        .join(" ")
      const why = cause.reasons.length === 0 ? "" : ` [${cause.reasons.map((reason) => reason._tag).join(", ")}]`
      tell(`${this.name}: ${logLevel === "Info" ? "" : `${logLevel.toLowerCase()}: `}${text}${why}`)
    })
  }
}
