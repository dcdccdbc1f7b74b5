import { assert, describe, it } from "@effect/vitest"
import { Effect, Redacted } from "effect"
import { Unauthorized } from "@muster/domain/Errors"
import type { Role } from "@muster/domain/Rpc/Authentication"
import { authenticate, secretOf } from "../../src/Auth/Authentication.ts"
import { Tokens } from "../../src/Auth/Tokens.ts"

const unplanned = Effect.die(new Error("not planned in this test"))

/** Knows one token per role, called as the role. */
const tokens = Tokens.of({
  verify: (secret) => {
    const role = Redacted.value(secret)
    return role === "admin" || role === "enrolment"
      ? Effect.succeed({ role, name: role })
      : Effect.fail(new Unauthorized({ reason: "unknown" }))
  },
  create: () => unplanned,
  list: unplanned,
  revoke: () => unplanned,
  seed: () => unplanned
})

const outcome = (header: string | undefined, required: Role) =>
  Effect.runSync(
    Effect.match(authenticate(tokens, header, required), {
      onSuccess: ({ name }) => name,
      onFailure: (error) => error._tag
    })
  )

describe("authentication", () => {
  it("reads the token in any form that the standard allows", () => {
    for (const header of ["Bearer mst_x", "bearer mst_x", "BEARER   mst_x", "Bearer mst_x  "]) {
      const secret = secretOf(header)
      assert.isDefined(secret)
      assert.strictEqual(Redacted.value(secret), "mst_x")
      assert.notInclude(JSON.stringify(secret), "mst_x")
    }
    for (const header of [undefined, "", "mst_x", "Bearer", "Bearer ", "Basic mst_x", "Bearer a b"]) {
      assert.isUndefined(secretOf(header), header)
    }
  })

  it("lets admins do everything and managers only what managers do", () => {
    assert.strictEqual(outcome("Bearer admin", "admin"), "admin")
    assert.strictEqual(outcome("Bearer admin", "enrolment"), "admin")
    assert.strictEqual(outcome("Bearer enrolment", "enrolment"), "enrolment")
    assert.strictEqual(outcome("Bearer enrolment", "admin"), "Unauthorized")
    assert.strictEqual(outcome("Bearer other", "enrolment"), "Unauthorized")
    assert.strictEqual(outcome(undefined, "enrolment"), "Unauthorized")
  })
})
