import { assert, describe, it } from "@effect/vitest"
import * as Account from "../../src/EmbeddedPostgres/Account.ts"

describe("Account", () => {
  it("prefers the user made for Postgres, then the one that owns nothing", () => {
    const root = "root:x:0:0:root:/root:/bin/bash\n"
    const nobody = "nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n"
    const postgres = "postgres:x:101:104::/var/lib/postgresql:/bin/bash\n"
    assert.deepStrictEqual(Account.choose(root + nobody + postgres), { uid: 101, gid: 104 })
    assert.deepStrictEqual(Account.choose(root + nobody), { uid: 65_534, gid: 65_534 })
    assert.isUndefined(Account.choose(root))
  })

  it("takes the bits of the first class that fits, as the kernel does", () => {
    const account = { uid: 10, gid: 20 }
    assert.isTrue(Account.allows({ uid: 10, gid: 0, mode: 0o100 }, account, 1))
    assert.isFalse(Account.allows({ uid: 10, gid: 20, mode: 0o077 }, account, 1))
    assert.isTrue(Account.allows({ uid: 0, gid: 20, mode: 0o040 }, account, 4))
    assert.isFalse(Account.allows({ uid: 0, gid: 20, mode: 0o704 }, account, 4))
    assert.isTrue(Account.allows({ uid: 0, gid: 0, mode: 0o701 }, account, 1))
    assert.isFalse(Account.allows({ uid: 0, gid: 0, mode: 0o700 }, account, 1))
  })
})
