/** What time says about a session: the default times, written out. */
import { assert, describe, it } from "@effect/vitest"
import { decide } from "@muster/domain/Manager/Decider"
import { evolve } from "@muster/domain/Manager/Evolve"
import { Epoch, ManagerId } from "@muster/domain/Manager/Id"
import { initial } from "@muster/domain/Manager/State"
import type { ManagerCommand } from "@muster/domain/Manager/Commands"
import type { Online, State, Suspected } from "@muster/domain/Manager/State"
import { Result } from "effect"
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
  now: began
}
const suspect = (reason: "silent" | "disconnected", now: number): ManagerCommand => ({
  _tag: "Disconnect",
  managerId,
  epoch,
  reason,
  now
})

const signs: Liveness.Signs = { connected: true, lastHeard: began, loadedAt: began }

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
    assert.deepStrictEqual(judge(gone, 1_000, { connected: false }), wait(10_000))
    assert.deepStrictEqual(judge(gone, 11_000, { connected: false }), { _tag: "Lose", reason: "disconnected" })
    const later = { connected: false, loadedAt: began + 60_000 }
    assert.deepStrictEqual(judge(gone, 60_000, later), wait(10_000))
    assert.deepStrictEqual(judge(gone, 70_000, later), { _tag: "Lose", reason: "disconnected" })
  })
})
