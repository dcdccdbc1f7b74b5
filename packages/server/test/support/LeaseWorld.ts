/**
 * A world in which everything goes wrong that leases are there for: machines and coordinators with clocks of their own that
 * run fast or slow, messages that are late or lost, coordinators that are frozen between any two steps and lose their shard
 * without a word, processes that take the place of others. The rules are the real ones; only the wiring is the test's.
 *
 * Whenever the tasks of a session are handed on, whoever ran them must have killed them long enough ago.
 */
import { Result } from "effect"
import * as Lease from "@muster/domain/Lease"
import type { ManagerCommand } from "@muster/domain/Manager/Commands"
import { decide, epochOf, owedReclaims } from "@muster/domain/Manager/Decider"
import type { ManagerEvent } from "@muster/domain/Manager/Events"
import { evolve } from "@muster/domain/Manager/Evolve"
import { ManagerId } from "@muster/domain/Manager/Id"
import type { Epoch } from "@muster/domain/Manager/Id"
import { initial } from "@muster/domain/Manager/State"
import type { State } from "@muster/domain/Manager/State"
import { SuiteId } from "@muster/domain/Suite/Id"
import * as Liveness from "../../src/Entities/Liveness.ts"
import * as Tenure from "../../src/Tenure.ts"
import * as Timings from "../../src/Timings.ts"
import * as ScriptedManager from "./ScriptedManager.ts"

const managerId = ManagerId.make("m000000000000001")
const suiteId = SuiteId.make("s000000000000001")
const spec = ScriptedManager.spec()
const shard = { id: 1 }

/** By how much a clock may run fast or slow. */
const maxDrift = 0.004

/** What must be left of the margins when the clocks are as wrong as they can be. Milliseconds, of which some are rounded. */
const leastGap = ({ duration, margin }: Lease.Lease): number => 2 * margin - 2 * maxDrift * (duration + margin) - 5

/** What a coordinator has in memory of the manager. */
interface Actor {
  version: number
  state: State
  readonly loadedAt: number
  /** The tenure that it belongs to. */
  readonly tenure: number
  lastHeard: number
  suspicion: { readonly since: number; readonly seenAt: number } | undefined
  readonly seenOver: Map<Epoch, number>
  readonly reclaimed: Set<Epoch>
}

interface Coordinator {
  readonly now: () => number
  readonly tenure: Tenure.Tenure["Service"]
  actor: Actor | undefined
  /** Its session in the database lives. It may not know better. */
  isConnected: boolean
  isFrozen: boolean
  /** What it has decided to do and not done yet, in order. */
  pending: Array<() => void>
}

/** One process of the manager. */
interface Process {
  readonly instance: string
  /** What it has seen the end of. */
  readonly gone: ReadonlyArray<string>
  readonly now: () => number
  epoch: Epoch | undefined
  begunAt: number | undefined
  /** Nothing that it says gets through. */
  isQuiet: boolean
  isAlive: boolean
}

/** As the real actor finds out. */
const provenAtOf = ({ tenure }: Coordinator, actor: Actor): number | undefined => {
  const holding = tenure.of(shard)
  return holding?.number === actor.tenure ? holding.provenAt : undefined
}

/** What the world can do next. Those that come more often stand more than once. */
const steps = [
  "wait",
  "wait",
  "wait",
  "long",
  "beat",
  "beat",
  "deliver",
  "deliver",
  "deliver",
  "lose",
  "look",
  "look",
  "look",
  "take",
  "break",
  "freeze",
  "wake",
  "wake",
  "act",
  "act",
  "act",
  "judge",
  "judge",
  "reclaim",
  "replace",
  "quiet",
  "takeover",
  "drop"
] as const

export class LeaseWorld {
  readonly lease: Lease.Lease
  /** Milliseconds of true time. */
  private time = 0
  private readonly random: () => number
  /** How often a process takes the place of another one. */
  private readonly replacing: number
  private readonly log: Array<ManagerEvent> = []
  private owner: Coordinator | undefined
  private readonly coordinators: ReadonlyArray<Coordinator>
  private readonly processes: Array<Process> = []
  private messages: Array<() => void> = []
  /** What was handed on, and how long after its end. */
  readonly gaps: Array<number> = []
  /** How sessions ended. */
  readonly ends: Array<string> = []
  readonly trace: Array<string> = []

  constructor(random: () => number, duration: number) {
    this.random = random
    this.replacing = random() < 0.5 ? 0.04 : 0
    this.lease = Lease.make(duration)
    this.coordinators = [0, 1, 2].map(() => {
      const now = this.clock()
      return { now, tenure: Tenure.make(), actor: undefined, isConnected: true, isFrozen: false, pending: [] }
    })
    this.start()
  }

  run(count: number): void {
    for (let step = 0; step < count; step++) this.step()
  }

  private clock(): () => number {
    const rate = 1 + (this.random() * 2 - 1) * maxDrift
    const offset = this.random() * 1_000_000
    return () => Math.floor(offset + this.time * rate)
  }

  private pick<A>(list: ReadonlyArray<A>): A | undefined {
    return list[Math.floor(this.random() * list.length)]
  }

  private awake(): Coordinator | undefined {
    return this.pick(this.coordinators.filter((one) => !one.isFrozen))
  }

  private start(gone: ReadonlyArray<string> = []): void {
    const process: Process = {
      instance: `i${this.processes.length}`,
      gone,
      now: this.clock(),
      epoch: undefined,
      begunAt: undefined,
      isQuiet: false,
      isAlive: true
    }
    this.processes.push(process)
  }

  /** To a coordinator that believes that it is meant, whenever it gets there. */
  private send(handle: (coordinator: Coordinator) => void, to = this.coordinators): void {
    const deliver = (): void => {
      const coordinator = this.pick(to.filter(({ isFrozen, tenure }) => !isFrozen && tenure.of(shard) !== undefined))
      if (coordinator === undefined) this.messages.push(deliver)
      else handle(coordinator)
    }
    this.messages.push(deliver)
  }

  private step(): void {
    const step = this.pick(steps)
    switch (step) {
      case undefined:
        return
      case "wait":
        this.time += this.random() * 300
        return
      case "long":
        if (this.random() < 0.15) this.time += this.random() * this.lease.duration
        return
      case "beat": {
        const process = this.pick(this.processes.filter((one) => one.isAlive && !one.isQuiet).slice(-2))
        if (process?.epoch !== undefined) this.beat(process)
        else if (process !== undefined) this.send((coordinator) => this.connect(coordinator, process))
        return
      }
      case "deliver":
        return this.messages.splice(Math.floor(this.random() * this.messages.length), 1)[0]?.()
      case "lose":
        this.messages.splice(Math.floor(this.random() * this.messages.length), this.random() < 0.3 ? 1 : 0)
        return
      case "look": {
        const coordinator = this.awake()
        if (coordinator !== undefined) this.look(coordinator)
        return
      }
      case "take": {
        const coordinator = this.awake()
        if (coordinator !== undefined && this.owner === undefined) this.take(coordinator)
        return
      }
      case "break":
        // The database ends a session; whoever had it does not know.
        if (this.owner !== undefined && this.random() < 0.15) {
          this.owner.isConnected = false
          this.owner = undefined
        }
        return
      case "freeze": {
        const coordinator = this.awake()
        if (coordinator !== undefined && this.random() < 0.3) coordinator.isFrozen = true
        return
      }
      case "wake": {
        const coordinator = this.pick(this.coordinators.filter((one) => one.isFrozen))
        if (coordinator !== undefined) coordinator.isFrozen = false
        return
      }
      case "act": {
        const coordinator = this.awake()
        const count = coordinator === undefined ? 0 : Math.ceil(this.random() * coordinator.pending.length)
        for (let done = 0; done < count; done++) coordinator?.pending.shift()?.()
        return
      }
      case "judge": {
        const coordinator = this.awake()
        if (coordinator?.actor !== undefined) this.judge(coordinator, coordinator.actor)
        return
      }
      case "reclaim": {
        const coordinator = this.awake()
        if (coordinator?.actor !== undefined) this.reclaim(coordinator, coordinator.actor)
        return
      }
      case "replace":
        if (this.random() < this.replacing) this.replace()
        return
      case "quiet": {
        const process = this.processes.at(-1)
        if (process !== undefined && this.random() < 0.1) process.isQuiet = !process.isQuiet
        return
      }
      case "takeover":
        if (this.owner !== undefined && !this.owner.isFrozen && this.random() < 0.1) this.takeover(this.owner)
        return
      case "drop": {
        // Actors go after a while when their shard is known to be lost.
        const coordinator = this.awake()
        if (coordinator !== undefined && coordinator.tenure.of(shard) === undefined) coordinator.actor = undefined
      }
    }
  }

  private times(most: number, action: () => void): void {
    for (let left = Math.floor(this.random() * (most + 1)); left > 0; left--) action()
  }

  private act(coordinator: Coordinator): void {
    for (let action = coordinator.pending.shift(); action !== undefined; action = coordinator.pending.shift()) action()
  }

  /** What would take long to come about by chance: a coordinator sleeps while another one serves, and wakes unaware. */
  private takeover(sleeper: Coordinator): void {
    if (this.random() < 0.5 && sleeper.actor !== undefined) this.judge(sleeper, sleeper.actor)
    sleeper.isFrozen = true
    sleeper.isConnected = false
    this.owner = undefined
    const successor = this.awake()
    if (successor === undefined) return
    this.take(successor)
    this.act(successor)
    // The manager speaks to either of them, and if to the one that sleeps it is answered when that wakes.
    const served = this.random() < 0.5 ? [sleeper] : [successor]
    this.times(12, () => {
      this.time += (this.random() * this.lease.duration) / 4
      this.look(successor)
      const process = this.processes.at(-1)
      if (process?.isAlive === true && process.epoch !== undefined) this.beat(process, served)
      this.times(6, () => {
        this.messages.pop()?.()
        this.act(successor)
      })
    })
    sleeper.isFrozen = false
    this.times(4, () => {
      this.act(sleeper)
      if (sleeper.actor !== undefined) this.judge(sleeper, sleeper.actor)
      this.act(sleeper)
      if (sleeper.actor !== undefined) this.reclaim(sleeper, sleeper.actor)
      this.times(6, () => this.messages.pop()?.())
    })
    this.act(sleeper)
    this.times(4, () => {
      this.time += (this.random() * this.lease.duration) / 2
      this.look(successor)
      this.act(successor)
      const { actor } = successor
      if (actor === undefined) return
      this.judge(successor, actor)
      this.act(successor)
      this.reclaim(successor, actor)
      this.act(successor)
    })
  }

  private beat(process: Process, to = this.coordinators): void {
    const sentAt = process.now()
    const { epoch } = process
    this.send((coordinator) => {
      const actor = this.actorOf(coordinator)
      if (actor === undefined) return
      const answer = () => {
        actor.lastHeard = coordinator.now()
        const provenAt = provenAtOf(coordinator, actor)
        if (provenAt === undefined) return
        const age = actor.lastHeard - provenAt
        this.messages.push(() => {
          const begunAt = sentAt - Math.ceil(age)
          if (process.epoch === epoch && begunAt > (process.begunAt ?? -Infinity)) process.begunAt = begunAt
        })
      }
      const { state } = actor
      if (state._tag === "Online" && state.session.epoch === epoch) return answer()
      if (state._tag !== "Suspected" || state.session.epoch !== epoch) return
      coordinator.pending.push(() =>
        this.ask(coordinator, actor, { _tag: "Resume", managerId, epoch, now: this.time }, answer)
      )
    }, to)
  }

  /** The look begins, reaches the database, and is answered, each after the other and anything in between. */
  private look(coordinator: Coordinator): void {
    const begunAt = coordinator.now()
    coordinator.pending.push(() => {
      if (!coordinator.isConnected) {
        coordinator.tenure.allEnded()
        coordinator.isConnected = true
        return
      }
      const isOwner = this.owner === coordinator
      coordinator.pending.unshift(() => {
        if (isOwner) coordinator.tenure.proven([shard.id], begunAt)
        else coordinator.tenure.ended([shard.id])
      })
    })
  }

  private take(coordinator: Coordinator): void {
    const begunAt = coordinator.now()
    coordinator.pending.push(() => {
      if (this.owner !== undefined || !coordinator.isConnected) return
      this.owner = coordinator
      coordinator.pending.unshift(() => {
        // One that it had before may not have gone yet.
        if (this.random() < 0.7) coordinator.actor = undefined
        coordinator.tenure.taken([shard.id], begunAt)
      })
    })
  }

  private actorOf(coordinator: Coordinator): Actor | undefined {
    if (coordinator.actor === undefined && coordinator.tenure.of(shard) !== undefined) {
      const now = coordinator.now()
      coordinator.actor = {
        version: this.log.length,
        state: this.log.reduce(evolve, initial()),
        loadedAt: now,
        tenure: coordinator.tenure.of(shard)?.number ?? 0,
        lastHeard: now,
        suspicion: undefined,
        seenOver: new Map(),
        reclaimed: new Set()
      }
    }
    return coordinator.actor
  }

  /** Decides by what is in memory and stores it, unless somebody else has written since. */
  private ask(coordinator: Coordinator, actor: Actor, command: ManagerCommand, then: () => void = () => {}): void {
    if (coordinator.actor !== actor) return
    const decided = decide(actor.state, command)
    if (Result.isFailure(decided)) return
    if (decided.success.length > 0) {
      if (actor.version !== this.log.length) {
        // Fenced. It reads what there is, and goes on believing what it remembers.
        actor.version = this.log.length
        actor.state = this.log.reduce(evolve, initial())
        return
      }
      for (const event of decided.success) {
        if (event._tag === "ManagerLost") this.ends.push(`${event.reason} ${event.leaseEnd}`)
        this.trace.push(`${Math.floor(this.time)} ${event._tag}`)
        actor.state = evolve(actor.state, event)
        this.log.push(event)
      }
      actor.version = this.log.length
    }
    then()
  }

  private connect(coordinator: Coordinator, process: Process): void {
    const actor = this.actorOf(coordinator)
    if (actor === undefined) return
    const { gone, instance } = process
    coordinator.pending.push(() =>
      this.ask(coordinator, actor, { _tag: "Connect", managerId, instance, spec, gone, now: this.time }, () => {
        const epoch = epochOf(actor.state)
        this.ask(coordinator, actor, { _tag: "Ready", managerId, epoch, now: this.time })
        const { lease } = this
        this.ask(coordinator, actor, { _tag: "Assign", managerId, epoch, suiteId, lease, now: this.time })
        actor.lastHeard = coordinator.now()
        this.messages.push(() => {
          process.epoch = epoch
        })
      })
    )
  }

  private judge(coordinator: Coordinator, actor: Actor): void {
    const { state } = actor
    if (state._tag !== "Online" && state._tag !== "Suspected") return
    const now = coordinator.now()
    const since = state._tag === "Suspected" ? state.since : undefined
    if (since === undefined) actor.suspicion = undefined
    else if (actor.suspicion?.since !== since) actor.suspicion = { since, seenAt: now }
    const { lastHeard, loadedAt } = actor
    const provenAt = provenAtOf(coordinator, actor)
    const signs = { connected: true, lastHeard, loadedAt, suspectedAt: actor.suspicion?.seenAt ?? now, provenAt }
    const verdict = Liveness.judge(state, signs, Timings.defaults, now)
    if (verdict._tag === "Wait") return
    const { reason } = verdict
    const { epoch } = state.session
    coordinator.pending.push(() => {
      if (verdict._tag === "Suspect") {
        this.ask(coordinator, actor, { _tag: "Disconnect", managerId, epoch, reason, now: this.time })
      } else if (since !== undefined) {
        this.ask(coordinator, actor, { _tag: "Lose", managerId, epoch, reason, since, now: this.time })
      }
    })
  }

  private reclaim(coordinator: Coordinator, actor: Actor): void {
    const now = coordinator.now()
    let isBlocked = false
    for (const { epoch, instance, lease } of owedReclaims(actor.state)) {
      if (actor.reclaimed.has(epoch)) continue
      if (lease !== undefined) {
        const seenAt = actor.seenOver.get(epoch) ?? now
        actor.seenOver.set(epoch, seenAt)
        const provenAt = provenAtOf(coordinator, actor)
        isBlocked ||= Liveness.untilOver(lease, { heard: seenAt, knownAt: seenAt, provenAt }, now) > 0
      }
      if (isBlocked) continue
      actor.reclaimed.add(epoch)
      coordinator.pending.push(() => this.handOn(instance, epoch))
    }
  }

  /** From now on others may run what this session had. */
  private handOn(instance: string, epoch: Epoch): void {
    const process = this.processes.find((one) => one.instance === instance)
    this.trace.push(`${Math.floor(this.time)} handed on ${epoch}`)
    if (process?.isAlive !== true || process.begunAt === undefined) return
    const { kill } = Lease.deadline(this.lease, process.begunAt, 5_000)
    const gap = process.now() - kill
    this.gaps.push(gap)
    if (gap < leastGap(this.lease)) {
      throw new Error(`session ${epoch} is handed on ${gap} ms after its end:\n${this.trace.slice(-30).join("\n")}`)
    }
  }

  /** Another process, on a machine that has seen the end of the one before or not. */
  private replace(): void {
    const before = this.processes.at(-1)
    if (before === undefined) return
    if (this.random() < 0.5) return this.start()
    before.isAlive = false
    this.start(this.processes.filter((one) => !one.isAlive).map(({ instance }) => instance))
  }
}
