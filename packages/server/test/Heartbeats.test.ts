import { assert, describe, it } from "@effect/vitest"
import { Epoch, ManagerId } from "@muster/domain/Manager/Id"
import * as Heartbeats from "../src/Heartbeats.ts"

const managerId = ManagerId.make("m000000000000001")
const epoch = (number: number) => Epoch.make(number)

const listenerOf = (number: number) => {
  const listener = { managerId, epoch: epoch(number), count: 0, heard: () => ({ age: ++listener.count }) }
  return listener
}

describe("heartbeats", () => {
  it("are noted by the listener of their session, and by nobody else", () => {
    const heartbeats = Heartbeats.make()
    assert.isUndefined(heartbeats.note(managerId, epoch(1)))
    const listener = listenerOf(2)
    heartbeats.listen(listener)
    assert.isUndefined(heartbeats.note(managerId, epoch(1)))
    assert.deepStrictEqual(heartbeats.note(managerId, epoch(2)), { age: 1 })
    assert.strictEqual(listener.count, 1)
  })

  it("go to the latest listener, also when the one before it goes later", () => {
    const heartbeats = Heartbeats.make()
    const [first, second] = [listenerOf(1), listenerOf(1)]
    heartbeats.listen(first)
    heartbeats.listen(second)
    heartbeats.forget(first)
    assert.deepStrictEqual(heartbeats.note(managerId, epoch(1)), { age: 1 })
    heartbeats.forget(second)
    assert.isUndefined(heartbeats.note(managerId, epoch(1)))
    assert.deepStrictEqual([first.count, second.count], [0, 1])
  })
})
