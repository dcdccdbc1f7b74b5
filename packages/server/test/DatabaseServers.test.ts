import { assert, describe, it } from "@effect/vitest"
import { Redacted, Result } from "effect"
import * as DatabaseServers from "../src/DatabaseServers.ts"

const parse = (url: string) => DatabaseServers.parse(Redacted.make(url))

const addresses = (url: string) => {
  const parsed = parse(url)
  return Result.isSuccess(parsed) ? parsed.success?.map(({ host, port }) => `${host} ${port}`) : parsed.failure
}

describe("an address of several database servers", () => {
  it("names each with its port", () => {
    assert.deepStrictEqual(addresses("postgresql://me:p%40ss@one:5001,two,[::1]:5003/db"), [
      "one 5001",
      "two 5432",
      "::1 5003"
    ])
    const parsed = parse("postgresql://me:p%40ss@one:5001,two/db?sslmode=require")
    const urls = Result.isSuccess(parsed) ? parsed.success?.map(({ url }) => Redacted.value(url)) : []
    assert.deepStrictEqual(urls, [
      "postgresql://me:p%40ss@one:5001/db?sslmode=require",
      "postgresql://me:p%40ss@two/db?sslmode=require"
    ])
  })

  it("of one server is a list only if it asks for a primary", () => {
    assert.isUndefined(addresses("postgres://one/db"))
    assert.deepStrictEqual(addresses("postgres://one/db?target_session_attrs=read-write"), ["one 5432"])
  })

  it("that asks for a server that takes no writes is refused, and so is a host that is none", () => {
    assert.include(addresses("postgres://one,two/db?target_session_attrs=any"), "allowed are: read-write, primary")
    assert.include(addresses("postgres://one,two:x/db"), "(two:x)")
    assert.include(addresses("postgres://one,/db"), "()")
    assert.include(addresses("postgres:///db?host=one,two"), "before the /")
  })
})

describe("a database server", () => {
  it("is written to if it takes writes and no later primary was seen", () => {
    assert.isUndefined(DatabaseServers.refusal({ isReadOnly: false, timeline: 3 }, 3))
    assert.include(DatabaseServers.refusal({ isReadOnly: false, timeline: 2 }, 3), "old primary")
    assert.include(DatabaseServers.refusal({ isReadOnly: true, timeline: undefined }, 0), "standby")
    assert.include(DatabaseServers.refusal({ isReadOnly: true, timeline: 3 }, 3), "takes no writes")
  })
})
