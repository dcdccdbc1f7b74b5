/**
 * A pool with its managers and suites in one place, where messages get lost, come twice and come late. The pool and the
 * managers are the real deciders; suites are numbers of tasks. One round is one second, and so is a task, unless it is
 * endless.
 */
import { assert } from "@effect/vitest"
import { Result } from "effect"
import * as Coordinator from "@muster/domain/Coordinator"
import * as Manager from "@muster/domain/Manager"
import type { Epoch, ManagerId } from "@muster/domain/Manager/Id"
import type { SuiteId } from "@muster/domain/Suite/Id"
import { manager, randomFrom, spec, start, suite } from "./Arbitraries.ts"

/** How bad the network and the machines are: chances in [0, 1) per message, and per manager and round. */
export interface Weather {
  readonly loss: number
  readonly repetition: number
  readonly delay: number
  readonly crash: number
  readonly disconnect: number
}

export const calm: Weather = { loss: 0, repetition: 0, delay: 0, crash: 0, disconnect: 0 }

/** Rounds that a message may come late, so that it overtakes or meets what was decided long after it. */
const maxDelay = 8

export interface Setup {
  readonly seed: number
  readonly managers: ReadonlyArray<{ readonly tags: ReadonlyArray<string>; readonly workers: number }>
  readonly suites: ReadonlyArray<{
    readonly tags: ReadonlyArray<string>
    readonly tasks: number
    readonly priority?: number
    /** Tasks beside these that never end, begun before them. */
    readonly endless?: number
  }>
}

interface Machine {
  readonly id: ManagerId
  readonly spec: Manager.ManagerSpec
  state: Manager.State
  instance: number
  running: number
  /** How many of these never end. */
  endless: number
  /** Of whom it runs tasks. */
  runningOf: SuiteId | null
}

interface SuiteTasks {
  readonly id: SuiteId
  readonly tags: ReadonlyArray<string>
  readonly priority: number
  readonly createdAt: number
  queued: number
  /** How many of these never end. */
  endless: number
  running: number
  /** The round in which its last task ended. */
  endedIn: number | undefined
}

export class PoolWorld {
  round = 0
  /** Events written so far by the pool and the managers. */
  written = 0
  readonly machines: ReadonlyArray<Machine>
  readonly suites: ReadonlyMap<SuiteId, SuiteTasks>
  pool = Coordinator.initial()
  readonly #random: () => number
  #weather: Weather = calm
  /** Messages on their way, with the round in which they arrive. */
  #late: ReadonlyArray<readonly [round: number, deliver: () => void]> = []

  constructor(setup: Setup) {
    this.#random = randomFrom(setup.seed)
    this.machines = setup.managers.map(({ tags, workers }, place) => ({
      id: manager(place + 1),
      spec: spec({ tags, workers }),
      state: Manager.initial(),
      instance: 0,
      running: 0,
      endless: 0,
      runningOf: null
    }))
    this.suites = new Map(
      setup.suites.map(({ tags, tasks, endless = 0, priority = 0 }, place) => {
        const id = suite(place + 1)
        const createdAt = start - 1_000 + place
        const queued = tasks + endless
        return [id, { id, tags, priority, createdAt, queued, endless, running: 0, endedIn: undefined }]
      })
    )
  }

  get now(): number {
    return start + this.round * 1_000
  }

  get unfinished(): ReadonlyArray<SuiteTasks> {
    return [...this.suites.values()].filter(({ queued, running }) => queued + running > 0)
  }

  /** Suites of which a task waits although a manager that may run it has a worker for it. */
  get neglected(): ReadonlyArray<SuiteTasks> {
    return [...this.suites.values()].filter(
      ({ id, queued, tags }) => queued > 0 && this.machines.some((machine) => this.#couldRun(machine, id, tags))
    )
  }

  /** One that runs something of another suite could not. */
  #couldRun(
    { running, runningOf, spec: { tags, workers } }: Machine,
    id: SuiteId,
    wanted: SuiteTasks["tags"]
  ): boolean {
    const isFree = running === 0 || (runningOf === id && running < workers)
    return isFree && wanted.every((tag) => tags.includes(tag))
  }

  /** More tasks for a suite. */
  submit(number: number, tasks = 1): void {
    const found = this.suites.get(suite(number))
    if (found !== undefined) found.queued += tasks
  }

  /** Lets rounds pass in this weather. */
  pass(rounds: number, weather: Weather = calm): void {
    this.#weather = weather
    for (let n = 0; n < rounds; n++) this.#oneRound()
  }

  /** Lets calm rounds pass until something holds; fails when it does not in time. */
  until(holds: () => boolean, atMost: number, what: string): void {
    for (let n = 0; n < atMost && !holds(); n++) this.pass(1)
    assert.isTrue(holds(), `${what} after ${atMost} calm rounds: ${JSON.stringify(this.unfinished)}`)
  }

  #oneRound(): void {
    this.round++
    const due = this.#late.filter(([round]) => round <= this.round)
    this.#late = this.#late.filter(([round]) => round > this.round)
    for (const [, deliver] of due) deliver()
    for (const machine of this.machines) this.#live(machine)
    for (const tasks of this.suites.values()) this.#announceSuite(tasks)
    this.#tellPool({ _tag: "Plan", now: this.now })
    for (const wish of Coordinator.directives(this.pool)) {
      const machine = this.machines.find(({ id }) => id === wish.managerId)
      if (machine !== undefined) this.#send(() => this.#ask(machine, { lease: undefined, ...wish, now: this.now }))
    }
  }

  #chance(of: number): boolean {
    return this.#random() < of
  }

  #send(deliver: () => void): void {
    const { delay, loss, repetition } = this.#weather
    for (let copies = this.#chance(repetition) ? 2 : 1; copies > 0; copies--) {
      if (this.#chance(loss)) continue
      if (this.#chance(delay)) {
        const rounds = 1 + Math.floor(this.#random() * maxDelay)
        this.#late = [...this.#late, [this.round + rounds, deliver]]
      } else deliver()
    }
  }

  #tellPool(command: Coordinator.CoordinatorCommand): void {
    const events = Result.getOrThrow(Coordinator.decider.decide(this.pool, command))
    this.written += events.length
    this.pool = events.reduce(Coordinator.decider.evolve, this.pool)
  }

  /** Gives a manager's aggregate a command; refusals are part of life here. */
  #ask(machine: Machine, command: Manager.ManagerCommand): void {
    const decided = Manager.decider.decide(machine.state, command)
    if (Result.isFailure(decided)) return
    this.written += decided.success.length
    for (const event of decided.success) {
      machine.state = Manager.decider.evolve(machine.state, event)
      if (event._tag === "ManagerLost" || event._tag === "ManagerLeft") this.#giveBackTasks(machine)
    }
  }

  #giveBackTasks(machine: Machine): void {
    const tasks = machine.runningOf === null ? undefined : this.suites.get(machine.runningOf)
    if (tasks !== undefined) {
      tasks.queued += machine.running
      tasks.endless += machine.endless
      tasks.running -= machine.running
    }
    machine.running = 0
    machine.endless = 0
    machine.runningOf = null
  }

  /** One second in the life of a machine. */
  #live(machine: Machine): void {
    const session = { managerId: machine.id, now: this.now }
    const epoch = Manager.epochOf(machine.state)
    if (this.#chance(this.#weather.crash)) {
      machine.instance++
    } else if (this.#chance(this.#weather.disconnect)) {
      this.#ask(machine, { _tag: "Disconnect", ...session, epoch, reason: "disconnected" })
      if (this.#chance(0.5)) {
        const since = machine.state._tag === "Suspected" ? machine.state.since : this.now
        this.#ask(machine, { _tag: "Lose", ...session, epoch, reason: "disconnected", since })
        machine.instance++
      }
    } else {
      const instance = String(machine.instance)
      this.#ask(machine, { _tag: "Connect", ...session, instance, spec: machine.spec, gone: [] })
      this.#ask(machine, { _tag: "Ready", ...session, epoch: Manager.epochOf(machine.state) })
      this.#work(machine)
    }
    this.#announceManager(machine)
  }

  #work(machine: Machine): void {
    const { state } = machine
    if (state._tag !== "Online") return
    const { assignment, epoch } = state.session
    const before = machine.runningOf === null ? undefined : this.suites.get(machine.runningOf)
    if (before !== undefined) {
      before.running -= machine.running - machine.endless
      if (machine.running > 0 && before.queued + before.running === 0) before.endedIn = this.round
    }
    machine.running = machine.endless
    if (machine.endless === 0) machine.runningOf = null
    if (assignment === null) return
    const { suiteId } = assignment
    if (assignment.releasing) {
      if (machine.endless > 0) return
      this.#ask(machine, { _tag: "Released", managerId: machine.id, epoch, suiteId, now: this.now })
      const { now } = this
      this.#send(() => this.#tellPool({ _tag: "AssignmentReleased", managerId: machine.id, epoch, suiteId, now }))
      return
    }
    const tasks = this.suites.get(suiteId)
    if (tasks === undefined) return
    const begun = Math.min(tasks.queued, machine.spec.workers - machine.running)
    const endless = Math.min(tasks.endless, begun)
    machine.running += begun
    machine.endless += endless
    machine.runningOf = suiteId
    tasks.queued -= begun
    tasks.endless -= endless
    tasks.running += begun
  }

  #announceManager({ id, spec: { tags, workers }, state }: Machine): void {
    if (state._tag === "Unknown") return
    for (const { epoch } of state.ended.slice(-1)) this.#sendGone(id, epoch)
    if (state._tag === "Offline") return
    const command: Coordinator.AnnounceManager = {
      _tag: "AnnounceManager",
      managerId: id,
      epoch: state.session.epoch,
      tags,
      workers,
      ready: Manager.isReady(state),
      draining: state.draining,
      assignedSuite: state.session.assignment?.suiteId ?? null,
      now: this.now
    }
    this.#send(() => this.#tellPool(command))
  }

  #sendGone(managerId: ManagerId, epoch: Epoch): void {
    const { now } = this
    this.#send(() => this.#tellPool({ _tag: "ManagerGone", managerId, epoch, now }))
  }

  #announceSuite({ id, tags, priority, createdAt, queued, running }: SuiteTasks): void {
    const command: Coordinator.AnnounceSuite = {
      _tag: "AnnounceSuite",
      suiteId: id,
      tags,
      priority,
      createdAt,
      queued,
      pending: queued + running,
      now: this.now
    }
    this.#send(() => this.#tellPool(command))
  }
}
