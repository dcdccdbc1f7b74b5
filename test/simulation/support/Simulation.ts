/**
 * One run: a whole Muster in one process on a virtual clock, what users ask of it, what goes wrong, and whether everything
 * is as it must be on the way and at the end. The same seed gives the same run.
 */
import { createHash } from "node:crypto"
import { Effect, Exit } from "effect"
import { ManagerId } from "@muster/domain/Manager/Id"
import type { Recorded } from "@muster/domain/Recorded"
import { SuiteId, stream } from "@muster/domain/Suite/Id"
import type { SuiteEvent } from "@muster/domain/Suite/Events"
import { suiteView } from "@muster/domain/Suite/View"
import * as LogEvent from "@muster/server/LogEvent"
import { LogInvariants, isSettled } from "../../support/LogInvariants.ts"
import type { Violation } from "../../support/LogInvariants.ts"
import * as Client from "./Client.ts"
import * as Coordinator from "./Coordinator.ts"
import { Database } from "./Database.ts"
import { Disk } from "./Disk.ts"
import { Executions } from "./Executions.ts"
import * as Globals from "./Globals.ts"
import { Host } from "./Host.ts"
import * as Manager from "./Manager.ts"
import { Network } from "./Network.ts"
import * as Plan from "./Plan.ts"
import type { Fault, JournalFate, Request, Timed } from "./Plan.ts"
import * as Planted from "./Planted.ts"
import type { Nature } from "./Worker.ts"
import { World, beginning } from "./World.ts"

export interface Result {
  readonly seed: number
  readonly violations: ReadonlyArray<Violation>
  /** Of all that was recorded: two runs of one seed have the same. */
  readonly hash: string
  readonly events: number
  readonly tasks: number
  readonly executions: number
  readonly faults: number
  /** Milliseconds. */
  readonly virtualTime: number
  readonly steps: number
}

export interface Options {
  readonly size?: Plan.Size
  /** Told what happens, line by line. */
  readonly tell?: (line: string) => void
  /** Tells also what goes over the network. */
  readonly frames?: boolean
  /** A bug that is to be found. */
  readonly plant?: Planted.Planted | undefined
}

/** How long everything may take to end when the faults are over. Milliseconds. */
const patience = 30 * 60_000

/** What may still come when all tasks have ended. Milliseconds. */
const aftermath = 2_000

const suiteName = (number: number) => SuiteId.make(`s${String(number).padStart(15, "0")}`)
const managerName = (number: number) => ManagerId.make(`m${String(number).padStart(15, "0")}`)

/** A machine, and the process that is on it now. */
interface Machine<Process> {
  readonly name: string
  skew: number
  process: Process | undefined
  /** How often its process is to be down or frozen now: faults overlap. */
  down: number
  frozen: number
}

export const run = (seed: number, options: Options = {}): Result => {
  const plan = Plan.make(seed, options.size)
  const { tell } = options
  const world: World = new World(
    seed,
    tell === undefined
      ? undefined
      : (line) => tell(`${((world.now - beginning) / 1_000).toFixed(3).padStart(9)} s  ${line}`)
  )
  const restore = Planted.intoDeciders(options.plant)
  try {
    return Globals.within(world, () => new Simulation(world, plan, options).run())
  } finally {
    restore()
  }
}

class Simulation {
  private readonly world: World
  private readonly plan: Plan.Plan
  private readonly plant: Planted.Planted | undefined
  private readonly network: Network
  private readonly database: Database
  private readonly invariants: LogInvariants
  private readonly violations: Array<Violation> = []
  private readonly executions = new Executions()
  private readonly coordinators: ReadonlyArray<Machine<Coordinator.Coordinator>>
  private readonly managers: ReadonlyArray<Machine<Manager.Manager> & { readonly disk: Disk; readonly number: number }>
  private readonly client: Client.Client
  private readonly user: Host
  private readonly log: Array<Recorded> = []
  /** Requests of users that were not answered yet. */
  private unanswered = 0
  private isOver = false
  private told = 0

  constructor(world: World, plan: Plan.Plan, { frames = false, plant }: Options) {
    this.world = world
    this.plan = plan
    const isSet = ({ what }: Timed<Fault>) => what._tag === "ClockJump" && plan.coordinators.includes(what.name)
    this.invariants = new LogInvariants({ steadyClocks: !plan.faults.some(isSet) })
    this.network = new Network(world, frames)
    this.plant = plant
    this.database = new Database(world, {
      observe: (recorded) => this.observe(recorded),
      fences: plant !== "store-does-not-fence"
    })
    this.coordinators = plan.coordinators.map((name) => ({ name, skew: 0, process: undefined, down: 0, frozen: 0 }))
    this.managers = plan.managers.map(({ name, skew }, number) => ({
      name,
      number,
      skew,
      disk: new Disk(),
      process: undefined,
      down: 0,
      frozen: 0
    }))
    this.user = new Host(world, "user")
    this.client = Client.make({
      host: this.user,
      network: this.network,
      coordinators: () =>
        this.coordinators.flatMap(({ process }) => (process === undefined || !process.host.isAlive ? [] : [process]))
    })
  }

  run(): Result {
    const { plan, world } = this
    for (const machine of this.coordinators) {
      world.after(world.random.between(0, 1_000), () => this.startCoordinator(machine))
    }
    for (const machine of this.managers) world.after(world.random.between(0, 3_000), () => this.startManager(machine))
    for (const [number, { at }] of plan.suites.entries()) world.after(at, () => this.createSuite(number))
    for (const fault of plan.faults) world.after(fault.at, () => this.begin(fault))
    const calmAt = Math.max(0, ...plan.faults.map(({ at, lasts }) => at + lasts), ...plan.requests.map(({ at }) => at))
    world.after(calmAt + 1, () => this.calm())
    try {
      if (!world.run(() => this.isOver))
        this.report("time goes on", "nothing will ever happen again, but not all has ended")
    } catch (error) {
      this.report("no code fails", error instanceof Error ? (error.stack ?? error.message) : String(error))
    }
    this.checkExecutions()
    this.checkSessions()
    const hash = createHash("sha256")
    for (const recorded of this.log) hash.update(JSON.stringify(recorded))
    return {
      seed: plan.seed,
      violations: [...this.invariants.violations, ...this.violations],
      hash: hash.digest("hex"),
      events: this.log.length,
      tasks: [...this.invariants.suites.values()].reduce((sum, { tasks }) => sum + tasks.length, 0),
      executions: this.executions.all.length,
      faults: plan.faults.length,
      virtualTime: world.now - beginning,
      steps: world.steps
    }
  }

  private tell(line: string): void {
    this.world.tell?.(line)
  }

  private report(rule: string, what: string): void {
    this.violations.push({ rule, what })
    this.tell(`VIOLATION of "${rule}": ${what}`)
    this.isOver = true
  }

  private observe(recorded: Recorded): void {
    this.log.push(recorded)
    this.invariants.add(recorded)
    if (this.world.tell !== undefined) {
      const { at: _, tasks, ...data } = LogEvent.readable(recorded).data as Record<string, unknown>
      const shown =
        recorded.type === "TasksSubmitted"
          ? { ...data, tasks: (tasks as Array<unknown>).length }
          : { ...data, ...(tasks === undefined ? {} : { tasks }) }
      this.tell(`${recorded.stream} ${recorded.version} ${recorded.type} ${JSON.stringify(shown)}`)
    }
    const { violations } = this.invariants
    for (const { rule, what } of violations.slice(this.told)) this.tell(`VIOLATION of "${rule}": ${what}`)
    this.told = violations.length
    if (violations.length > 0) this.isOver = true
  }

  // Machines

  private startCoordinator(machine: Machine<Coordinator.Coordinator>): void {
    const host = new Host(this.world, machine.name, { skew: machine.skew })
    this.tell(`${machine.name} starts`)
    host.whenDead(() => this.tell(`${machine.name} is gone`))
    machine.process = Coordinator.start({
      host,
      network: this.network,
      database: this.database,
      unfinished: () =>
        [...this.invariants.suites.values()].flatMap(({ id, state, tasks }) =>
          state._tag === "Existing" &&
          state.completedAt === undefined &&
          (tasks.some((task) => !isSettled(task)) || state.state === "cancelled")
            ? [id]
            : []
        )
    })
    if (machine.frozen > 0) host.freeze()
  }

  private startManager(machine: (typeof this.managers)[number]): void {
    const { world } = this
    const planned = this.plan.managers[machine.number]
    const host = new Host(world, machine.name, { skew: machine.skew })
    this.tell(`${machine.name} starts`)
    host.whenDead(() => this.tell(`${machine.name} is gone`))
    const names = this.plan.coordinators
    const first = world.random.below(names.length)
    machine.process = Manager.start({
      host,
      network: this.network,
      disk: machine.disk,
      managerId: managerName(machine.number + 1),
      coordinators: [...names.slice(first), ...names.slice(0, first)],
      workers: planned?.workers ?? 1,
      tags: [],
      executions: this.executions,
      nature: this.nature,
      plant: this.plant
    })
    if (machine.frozen > 0) host.freeze()
  }

  private readonly nature: Nature = {
    duration: (random) => {
      if (random.chance(this.plan.longTasks)) return random.between(3_000, 40_000)
      return random.chance(0.7) ? random.between(1, 60) : random.between(60, 3_000)
    },
    outcome: (random) => {
      const chance = random.next()
      return chance < 0.86 ? "succeeded" : chance < 0.97 ? "failed" : "crashed"
    }
  }

  private machine(name: string) {
    return [...this.coordinators, ...this.managers].find((machine) => machine.name === name)
  }

  private manager(name: string) {
    return this.managers.find((machine) => machine.name === name)
  }

  // Faults

  private begin(fault: Timed<Fault>): void {
    const { what } = fault
    this.tell(`FAULT ${Plan.describeFault(fault)}`)
    const later = (act: () => void) => {
      this.world.after(fault.lasts, act)
    }
    switch (what._tag) {
      case "KillCoordinator":
      case "StopCoordinator":
        return this.takeDown(what.name, later, what._tag === "KillCoordinator" ? undefined : "stop")
      case "KillManager":
        return this.takeDown(what.name, later, what.journal)
      case "StopManager":
        return this.takeDown(what.name, later, "stop")
      case "Freeze": {
        const machine = this.machine(what.name)
        if (machine === undefined) return
        machine.frozen++
        machine.process?.host.freeze()
        return later(() => {
          machine.frozen--
          if (machine.frozen > 0) return
          this.tell(`${what.name} wakes`)
          machine.process?.host.thaw()
        })
      }
      case "Cut":
        this.network.cut(what.one, what.other)
        return later(() => {
          this.tell(`${what.one} and ${what.other} are connected again`)
          this.network.heal(what.one, what.other)
        })
      case "Slow":
        this.network.slow(what.one, what.other, what.slowness)
        return later(() => this.network.slow(what.one, what.other, 1))
      case "Reset":
        return this.network.reset(what.one, what.other)
      case "DatabaseDown":
        this.database.isDown = true
        if (what.dropsSessions) this.database.dropSessions()
        return later(() => {
          this.tell("the database is back")
          this.database.isDown = false
        })
      case "StoreFaults":
        this.database.faults = what.faults
        return later(() => {
          this.database.faults = { refuse: 0, lose: 0, slow: 0 }
        })
      case "DiskFull": {
        const disk = this.manager(what.name)?.disk
        if (disk === undefined) return
        disk.isFull = true
        return later(() => {
          disk.isFull = false
        })
      }
      case "ClockJump": {
        const machine = this.machine(what.name)
        if (machine === undefined) return
        machine.skew += what.by
        if (machine.process !== undefined) machine.process.host.skew = machine.skew
        return
      }
    }
  }

  private takeDown(name: string, later: (act: () => void) => void, how: "stop" | JournalFate | undefined): void {
    const machine = this.machine(name)
    if (machine === undefined) return
    machine.down++
    if (how === "stop") machine.process?.stop()
    else {
      machine.process?.host.kill()
      const disk = this.manager(name)?.disk
      if (how === "torn") disk?.tear(this.world.random)
      if (how === "lost") disk?.lose()
    }
    later(() => {
      machine.down--
      this.startAgain(name)
    })
  }

  /** Its supervisor starts a process that is gone. One that was told to go and has not is killed, as by a supervisor. */
  private startAgain(name: string): void {
    const machine = this.machine(name)
    if (machine === undefined || machine.down > 0) return
    if (machine.process?.host.isAlive === true) {
      machine.process.host.kill()
    }
    const manager = this.manager(name)
    const coordinator = this.coordinators.find((one) => one.name === name)
    if (manager !== undefined) this.startManager(manager)
    else if (coordinator !== undefined) this.startCoordinator(coordinator)
  }

  /** From now on nothing goes wrong any more: everything has to end. */
  private calm(): void {
    this.tell("CALM: no faults any more")
    this.network.healAll()
    for (const machine of [...this.coordinators, ...this.managers]) {
      if (machine.process?.host.isAlive !== true) this.startAgain(machine.name)
    }
    const since = this.world.now
    const look = () => {
      // Whoever ends is started again, as by a supervisor.
      for (const machine of [...this.coordinators, ...this.managers]) {
        if (machine.process?.host.isAlive !== true) this.startAgain(machine.name)
      }
      if (this.hasEnded()) {
        this.world.after(aftermath, () => this.finish())
      } else if (this.world.now - since > patience) {
        this.invariants.checkEnd()
        this.report("everything ends", `not all has ended ${patience / 60_000} minutes after the last fault`)
      } else this.world.after(250, look)
    }
    look()
  }

  private hasEnded(): boolean {
    if (this.unanswered > 0) return false
    for (const { state, tasks } of this.invariants.suites.values()) {
      if (tasks.length === 0) continue
      if (state._tag === "Existing" && state.completedAt === undefined) return false
      if (tasks.some((task) => !isSettled(task))) return false
    }
    return true
  }

  // Users

  private question(describe: string, effect: Effect.Effect<void>): void {
    this.unanswered++
    this.tell(`user asks: ${describe}`)
    this.user.post(() =>
      this.user.fork(effect, (exit) => {
        if (Exit.isFailure(exit)) this.report("no code fails", `user: ${describe}: ${String(exit.cause)}`)
        this.tell(`user is answered: ${describe}`)
        this.unanswered--
      })
    )
  }

  private asked(suite: number, command: string) {
    return { suiteId: suiteName(suite), commandId: command, actor: "user" }
  }

  private createSuite(number: number): void {
    const planned = this.plan.suites[number]
    if (planned === undefined) return
    const asked = this.asked(number, `create-${number}`)
    const create = Effect.gen({ self: this }, function* () {
      const exit = yield* this.client.ask((suites) => suites.create({ ...asked, spec: planned.spec }))
      if (Exit.isFailure(exit)) this.report("a suite can be created", String(exit.cause))
      for (const [place, { at, what }] of this.plan.requests.entries()) {
        if (what.suite !== number) continue
        this.unanswered++
        this.world.after(Math.max(beginning + at - this.world.now, 0), () => {
          this.unanswered--
          this.question(`${what._tag} of suite ${number}`, this.request(place, what))
        })
      }
    })
    this.question(`create suite ${number}`, create)
  }

  private request(place: number, what: Request): Effect.Effect<void> {
    const asked = this.asked(what.suite, `request-${place}`)
    const { client } = this
    switch (what._tag) {
      case "Submit":
        return Effect.map(
          client.ask((suites) => suites.submit({ ...asked, tasks: what.tasks })),
          (exit) => {
            if (Exit.isSuccess(exit)) this.checkAccepted(asked, exit.value)
          }
        )
      case "Pause":
        return client
          .ask((suites) => suites.pause(asked))
          .pipe(
            Effect.andThen(Effect.sleep(what.lasts)),
            Effect.andThen(client.ask((suites) => suites.resume({ ...asked, commandId: `${asked.commandId}-resume` }))),
            Effect.asVoid
          )
      case "Close":
        return Effect.asVoid(client.ask((suites) => suites.close(asked)))
      case "RetryFailed":
        return Effect.asVoid(client.ask((suites) => suites.retry({ ...asked, tasks: "failed" })))
      case "CancelTasks":
        return Effect.asVoid(
          client.ask((suites) => suites.cancelTasks({ ...asked, tasks: what.tasks, reason: "wish" }))
        )
      case "CancelSuite":
        return Effect.asVoid(client.ask((suites) => suites.cancel({ ...asked, mode: what.mode, reason: "wish" })))
    }
  }

  /** What was answered is in the log. */
  private checkAccepted(
    asked: { readonly suiteId: SuiteId; readonly commandId: string },
    answer: { readonly firstIndex: number; readonly count: number }
  ): void {
    const found = this.log.find(
      ({ metadata, stream: of, type }) =>
        type === "TasksSubmitted" && of === stream(asked.suiteId) && metadata.commandId === asked.commandId
    )
    const event = found === undefined ? undefined : LogEvent.decode<SuiteEvent>(found)
    const isThere =
      event?._tag === "TasksSubmitted" && event.firstIndex === answer.firstIndex && event.tasks.length === answer.count
    if (!isThere)
      this.report("accepted means durable", `${asked.commandId} was answered with ${JSON.stringify(answer)}`)
  }

  // The end

  /** Asks each suite how it is: its actor must say what its events say. */
  private finish(): void {
    this.invariants.checkEnd()
    const compare = Effect.gen({ self: this }, function* () {
      for (const { id, state } of this.invariants.suites.values()) {
        if (state._tag === "Missing" || state.state === "cancelled") continue
        const exit = yield* this.client.ask((suites) =>
          suites.resume({ suiteId: id, commandId: `look-${id}`, actor: "user" })
        )
        const shown = Exit.isSuccess(exit) ? JSON.stringify(exit.value) : String(exit.cause)
        const folded = JSON.stringify(suiteView(state))
        if (shown !== folded)
          this.report("an actor is what its events say", `${id} is ${shown}, but by its events ${folded}`)
      }
      this.isOver = true
    })
    this.user.post(() =>
      this.user.fork(compare, (exit) => {
        if (Exit.isFailure(exit)) this.report("no code fails", String(exit.cause))
      })
    )
  }

  private checkExecutions(): void {
    const machines = new Map(this.managers.map(({ name, number }) => [managerName(number + 1), name] as const))
    const ran = new Set(
      this.executions.all.map(
        ({ attempt, index, machine, outcome, suiteId }) => `${suiteId}.${index} ${attempt} ${machine} ${outcome}`
      )
    )
    for (const recorded of this.log) {
      if (recorded.type !== "AttemptsEnded") continue
      const event = LogEvent.decode<SuiteEvent>(recorded)
      if (event._tag !== "AttemptsEnded") continue
      for (const { attempt, index, outcome } of event.attempts) {
        if (outcome !== "succeeded" && outcome !== "failed" && outcome !== "timed_out") continue
        const suite = recorded.stream.slice("suite-".length)
        const name = `${suite}.${index} ${attempt} ${machines.get(event.manager)} ${outcome}`
        if (!ran.has(name)) this.report("what is recorded has happened", name)
      }
    }
    const [overlap] = this.executions.overlaps
    if (overlap !== undefined && !this.mayOverlap()) {
      const [one, other] = overlap
      const what = `${one.suiteId}.${one.index}: attempt ${one.attempt} on ${one.machine} and ${other.attempt} on ${other.machine}`
      this.report("no task runs twice at once without a cut", what)
    }
  }

  /** A coordinator's troubles are not the manager's: without a fault of its own, or of its line, it keeps its session. */
  private checkSessions(): void {
    const ofManagers: ReadonlySet<Fault["_tag"]> = new Set(["KillManager", "StopManager", "Cut", "Slow"])
    const names = new Set(this.managers.map(({ name }) => name))
    const isOfManager = ({ what }: Timed<Fault>) =>
      ofManagers.has(what._tag) || (what._tag === "Freeze" && names.has(what.name))
    if (this.plan.faults.some(isOfManager)) return
    const lost = this.log.find(({ type }) => type === "ManagerLost")
    if (lost !== undefined) {
      const after = ((lost.recordedAt - beginning) / 1_000).toFixed(1)
      this.report("running work is untouched by a coordinator's outage", `${lost.stream} was lost after ${after} s`)
    }
  }

  /** Whether a manager can have been alone for long enough to lose its session while its tasks went on. */
  private mayOverlap(): boolean {
    const harmless: ReadonlySet<Fault["_tag"]> = new Set(["KillManager", "StopManager", "DiskFull", "ClockJump"])
    return this.plan.faults.some(({ what }) => !harmless.has(what._tag))
  }
}
