import { assert, describe, it } from "@effect/vitest"
import * as Lease from "@muster/domain/Lease"
import * as SuiteLease from "@muster/manager/SuiteLease"

const asked = Lease.make(120_000)
/** 120 s less the margin of 2.2 s, then 0.25 s and the grace before that. */
const [kill, term, begin] = [117_800, 112_550, 106_550]

/** A lease at work, by a clock that the test sets. */
const make = () => {
  const clock = { now: 1_000_000 }
  return { clock, lease: SuiteLease.make(() => clock.now) }
}

describe("the lease of a suite", () => {
  it("lets everything run of a suite that does not ask for one", () => {
    const { lease } = make()
    assert.isTrue(lease.mayBegin())
    assert.isFalse(lease.isOver())
    lease.use(undefined, 5_000)
    lease.renewed(0)
    assert.isUndefined(lease.deadline())
    assert.isTrue(lease.mayBegin())
    assert.isFalse(lease.isOver())
  })

  it("lets nothing run before it was renewed", () => {
    const { lease } = make()
    lease.use(asked, 5_000)
    assert.isFalse(lease.mayBegin())
    assert.isTrue(lease.isOver())
  })

  it("counts from the renewal, whenever that is heard of", () => {
    const { clock, lease } = make()
    lease.use(asked, 5_000)
    lease.renewed(900_000)
    assert.deepStrictEqual(lease.deadline(), { begin: 900_000 + begin, term: 900_000 + term, kill: 900_000 + kill })
    clock.now = 900_000 + begin - 1
    assert.isTrue(lease.mayBegin())
    clock.now++
    assert.isFalse(lease.mayBegin())
    assert.isFalse(lease.isOver())
    clock.now = 900_000 + kill
    assert.isTrue(lease.isOver())
    lease.renewed(990_000)
    assert.isTrue(lease.mayBegin())
  })

  it("is not made shorter by an answer that comes late, or longer by one of an earlier session", () => {
    const { lease } = make()
    lease.use(asked, 5_000)
    lease.renewed(950_000)
    lease.renewed(940_000)
    assert.strictEqual(lease.deadline()?.kill, 950_000 + kill)
    lease.forget()
    assert.isFalse(lease.mayBegin())
    lease.renewed(945_000)
    assert.strictEqual(lease.deadline()?.kill, 945_000 + kill)
  })

  it("gives a grace that is short beside it", () => {
    const { lease } = make()
    lease.use(Lease.make(5_000), 60_000)
    lease.renewed(1_000_000)
    const { kill: end, term: first } = lease.deadline() ?? Lease.noDeadline
    assert.deepStrictEqual([end, end - first], [1_003_950, 250 + 833])
  })
})
