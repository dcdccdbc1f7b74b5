import { assert, describe, it } from "@effect/vitest"
import { Epoch, ManagerId } from "@muster/domain/Manager/Id"
import * as Heartbeats from "../src/Heartbeats.ts"

const managerId = ManagerId.make("m000000000000001")
const epoch = (number: number) => Epoch.make(number)

const listenerOf = (number: number) => {
  const heard: Array<number> = []
  return { managerId, epoch: epoch(number), heard: (at: number) => void heard.push(at), all: heard }
}

describe("heartbeats", () => {
  it("are noted by the listener of their session, and by nobody else", () => {
    const heartbeats = Heartbeats.make()
    assert.isFalse(heartbeats.note(managerId, epoch(1), 5))
    const listener = listenerOf(2)
    heartbeats.listen(listener)
    assert.isFalse(heartbeats.note(managerId, epoch(1), 6))
    assert.isTrue(heartbeats.note(managerId, epoch(2), 7))
    assert.deepStrictEqual(listener.all, [7])
  })

  it("go to the latest listener, also when the one before it goes later", () => {
    const heartbeats = Heartbeats.make()
    const [first, second] = [listenerOf(1), listenerOf(1)]
    heartbeats.listen(first)
    heartbeats.listen(second)
    heartbeats.forget(first)
    assert.isTrue(heartbeats.note(managerId, epoch(1), 8))
    heartbeats.forget(second)
    assert.isFalse(heartbeats.note(managerId, epoch(1), 9))
    assert.deepStrictEqual([first.all, second.all], [[], [8]])
  })
})
