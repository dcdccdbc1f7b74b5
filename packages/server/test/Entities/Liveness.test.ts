/** What time says about a session: the default times, written out. */
import { assert, describe, it } from "@effect/vitest"
import { decide } from "@muster/domain/Manager/Decider"
import { evolve } from "@muster/domain/Manager/Evolve"
import { Epoch, ManagerId } from "@muster/domain/Manager/Id"
import { initial } from "@muster/domain/Manager/State"
import type { ManagerCommand } from "@muster/domain/Manager/Commands"
import type { Online, State, Suspected } from "@muster/domain/Manager/State"
import { Result } from "effect"
import * as Lease from "@muster/domain/Lease"
import { SuiteId } from "@muster/domain/Suite/Id"
import * as Liveness from "../../src/Entities/Liveness.ts"
import * as Timings from "../../src/Timings.ts"
import * as ScriptedManager from "../support/ScriptedManager.ts"

const managerId = ManagerId.make("m000000000000001")
const epoch = Epoch.make(1)
const began = 1_000_000

const after = (...commands: ReadonlyArray<ManagerCommand>): Online | Suspected => {
  let state: State = initial()
  for (const command of commands)
    for (const event of Result.getOrThrow(decide(state, command))) state = evolve(state, event)
  if (state._tag === "Online" || state._tag === "Suspected") return state
  throw new Error(`a session that is ${state._tag}`)
}

const connect: ManagerCommand = {
  _tag: "Connect",
  managerId,
  instance: "instance",
  spec: ScriptedManager.spec(),
  gone: [],
  now: began
}
const suspect = (reason: "silent" | "disconnected", now: number): ManagerCommand => ({
  _tag: "Disconnect",
  managerId,
  epoch,
  reason,
  now
})

const signs: Liveness.Signs = {
  connected: true,
  lastHeard: began,
  loadedAt: began,
  suspectedAt: began,
  provenAt: began
}

const judge = (state: Online | Suspected, now: number, more: Partial<Liveness.Signs> = {}) =>
  Liveness.judge(state, { ...signs, ...more }, Timings.defaults, began + now)

const wait = (milliseconds: number): Liveness.Verdict => ({ _tag: "Wait", milliseconds })

describe("a session", () => {
  it("that is connected is suspected when it was silent for 35 s", () => {
    const online = after(connect)
    assert.deepStrictEqual(judge(online, 0), wait(35_000))
    assert.deepStrictEqual(judge(online, 34_999), wait(1))
    assert.deepStrictEqual(judge(online, 35_000), { _tag: "Suspect", reason: "silent" })
    assert.deepStrictEqual(judge(online, 35_000, { lastHeard: began + 10_000 }), wait(10_000))
  })

  it("that was taken over has 30 s to connect", () => {
    const online = after(connect)
    const taken = { connected: false, lastHeard: began + 500, loadedAt: began + 500 }
    assert.deepStrictEqual(judge(online, 500, taken), wait(30_000))
    assert.deepStrictEqual(judge(online, 30_500, taken), { _tag: "Suspect", reason: "disconnected" })
  })

  it("that is silent is lost after 120 s without a word", () => {
    const silent = after(connect, suspect("silent", began + 35_000))
    assert.deepStrictEqual(judge(silent, 35_000), wait(85_000))
    assert.deepStrictEqual(judge(silent, 120_000), { _tag: "Lose", reason: "silent" })
  })

  it("that is disconnected is lost after 10 s, of which those before a takeover do not count", () => {
    const gone = after(connect, suspect("disconnected", began + 1_000))
    const since = { connected: false, suspectedAt: began + 1_000 }
    assert.deepStrictEqual(judge(gone, 1_000, since), wait(10_000))
    assert.deepStrictEqual(judge(gone, 11_000, since), { _tag: "Lose", reason: "disconnected" })
    const later = { ...since, loadedAt: began + 60_000 }
    assert.deepStrictEqual(judge(gone, 60_000, later), wait(10_000))
    assert.deepStrictEqual(judge(gone, 70_000, later), { _tag: "Lose", reason: "disconnected" })
  })
})

describe("a session on a lease", () => {
  const lease = Lease.make(120_000)
  const suiteId = SuiteId.make("s000000000000001")
  const ready: ManagerCommand = { _tag: "Ready", managerId, epoch, now: began }
  const assign: ManagerCommand = { _tag: "Assign", managerId, epoch, suiteId, lease, now: began }
  const busy = [connect, ready, assign]
  const proven = (at: number) => ({ provenAt: began + at })
  /** What both sides keep clear of 120 s. */
  const over = 122_200

  it("is doubted sooner the shorter it is", () => {
    const online = after(...busy)
    assert.deepStrictEqual(judge(online, 0), wait(35_000))
    const short = after(connect, ready, { ...assign, lease: Lease.make(5_000) })
    assert.deepStrictEqual(judge(short, 0), wait(3_333))
    assert.deepStrictEqual(judge(short, 0, { connected: false }), wait(3_333))
    assert.deepStrictEqual(judge(short, 3_333, { connected: false }), { _tag: "Suspect", reason: "disconnected" })
  })

  it.each(["silent", "disconnected"] as const)("and %s is lost when its lease and the margin are over", (reason) => {
    const state = after(...busy, suspect(reason, began))
    assert.deepStrictEqual(judge(state, 0, proven(0)), wait(over))
    assert.deepStrictEqual(judge(state, over - 1, proven(over - 1)), wait(100))
    assert.deepStrictEqual(judge(state, over, proven(over)), { _tag: "Lose", reason })
    const heard = { lastHeard: began + 50_000 }
    assert.deepStrictEqual(judge(state, over, { ...proven(over), ...heard }), wait(50_000))
  })

  it("is lost only when this coordinator has proved since that the manager is its own", () => {
    const state = after(...busy, suspect("silent", began))
    assert.deepStrictEqual(judge(state, over + 5_000, proven(over - 1)), wait(100))
    assert.deepStrictEqual(judge(state, over + 5_000, { provenAt: undefined }), wait(100))
    assert.deepStrictEqual(judge(state, over + 5_000, proven(over)), { _tag: "Lose", reason: "silent" })
  })

  it("is lost only when whoever comes next reads that it was suspected", () => {
    const state = after(...busy, suspect("silent", began))
    const late = { ...proven(over), suspectedAt: began + over + 1 }
    assert.deepStrictEqual(judge(state, over + 2, late), wait(100))
    assert.strictEqual(judge(state, over + 2, { ...late, ...proven(over + 1) })._tag, "Lose")
  })

  it("counts from the takeover where that came later than the last sign of life", () => {
    const state = after(...busy, suspect("silent", began))
    const taken = { loadedAt: began + 10_000, suspectedAt: began + 10_000 }
    assert.deepStrictEqual(judge(state, 20_000, { ...taken, ...proven(20_000) }), wait(over - 10_000))
  })
})
