import { assert, describe, it } from "@effect/vitest"
import * as Bundle from "@muster/domain/Bundle"
import type { Recorded } from "@muster/domain/Recorded"

const event = (type: string, data: Recorded["data"]): Recorded => ({
  position: 1,
  stream: "suite-s",
  version: 1,
  type,
  data,
  metadata: { actor: "admin", schemaVersion: 1 },
  recordedAt: 1
})

describe("a bundle", () => {
  it("keeps the names of environment variables and hides their values, wherever they stand", () => {
    const env = { PASSWORD: "secret-1", EMPTY: "" }
    const created = Bundle.withoutSecrets(
      event("SuiteCreated", { id: "s", spec: { name: "n", defaults: { env, timeout: 5 } }, at: 1 })
    )
    assert.deepStrictEqual(created.data, {
      id: "s",
      spec: { name: "n", defaults: { env: { PASSWORD: Bundle.hidden, EMPTY: Bundle.hidden }, timeout: 5 } },
      at: 1
    })
    const tasks = [
      { program: "x", args: ["env"], env },
      { handler: "h", input: { env: "secret-2", list: [{ env: { DEEP: "secret-3" } }] } }
    ]
    const submitted = Bundle.withoutSecrets(event("TasksSubmitted", { firstIndex: 0, tasks, at: 1 }))
    assert.notInclude(JSON.stringify(submitted), "secret")
    assert.deepInclude(submitted.data, { firstIndex: 0, at: 1 })
    assert.include(JSON.stringify(submitted), '{"program":"x","args":["env"],"env":{"PASSWORD":"***","EMPTY":"***"}}')
  })

  it("leaves all other events as they are", () => {
    const paused = event("SuitePaused", { at: 1 })
    assert.strictEqual(Bundle.withoutSecrets(paused), paused)
  })
})
