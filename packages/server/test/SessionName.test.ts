import { assert, describe, it } from "@effect/vitest"
import * as SessionName from "../src/SessionName.ts"

const self = { version: "0.1.0", url: "http://127.0.0.1:7117", startedAt: 1_795_544_515_000 }

describe("the name of a coordinator's session", () => {
  it("says its version, its address and its times, and fits into what Postgres keeps", () => {
    const name = SessionName.encode(self, 1_795_544_999_000)
    assert.isAtMost(name.length, 63)
    assert.deepStrictEqual(SessionName.decode(name), { ...self, shardsSince: 1_795_544_999_000 })
  })

  it("leaves out an address that would be cut", () => {
    const url = `http://${"a".repeat(60)}:7117`
    const name = SessionName.encode({ ...self, url }, 0)
    assert.deepInclude(SessionName.decode(name), { version: "0.1.0", url: undefined })
  })

  it("is told from any other name", () => {
    for (const name of ["", "muster", "psql", "muster 0.1.0", "muster 0.1.0 ? 1 x"]) {
      assert.isUndefined(SessionName.decode(name), name)
    }
  })
})
