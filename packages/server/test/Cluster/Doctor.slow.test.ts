/** Two coordinators that are processes of their own, one of which hangs. */
import { assert, layer } from "@effect/vitest"
import { Effect } from "effect"
import type { Finding } from "@muster/domain/Doctor/Finding"
import * as Coordinators from "../support/Coordinators.ts"
import { eventually } from "../support/Eventually.ts"
import * as Muster from "../support/Muster.ts"

const of = (found: ReadonlyArray<Finding>, check: string, severity: Finding["severity"]) =>
  found.filter((finding) => finding.check === check && finding.severity === severity)

layer(Muster.layer, { excludeTestServices: true, timeout: "60 seconds" })("the doctor of a cluster", (it) => {
  it.effect("asks every coordinator about itself, and tells which one does not answer", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const [one, two] = yield* Effect.all(
          [Coordinators.start({ MUSTER_CLUSTER_HOST: "127.0.0.1" }), Coordinators.start()],
          { concurrency: "unbounded" }
        )
        const examine = Effect.map(one.client.Examine({ full: false, database: false }), ({ findings }) => findings)
        const found = yield* eventually(examine, (findings) => of(findings, "coordinator.answers", "ok").length === 2)
        assert.strictEqual(of(found, "clock.coordinators", "ok").length, 1, "measured against the database by each")
        const settings = of(found, "coordinator.setting", "ok").map(({ what }) => what)
        assert.include(settings, "MUSTER_CLUSTER_HOST is 127.0.0.1 (environment)")
        assert.include(settings, "MUSTER_CLUSTER_HOST is 127.0.0.1 (default)")
        assert.include(settings, "MUSTER_ADMIN_TOKEN is *** (environment)")
        assert.notMatch(JSON.stringify(found), /for-tests-only/)
        // It holds its locks until the server ends its session, a few seconds later.
        yield* two.signal("SIGSTOP")
        const silent = yield* examine
        assert.strictEqual(of(silent, "coordinator.answers", "error").length, 1)
        assert.strictEqual(of(silent, "coordinator.answers", "ok").length, 1)
        yield* two.signal("SIGCONT")
      })
    )
  )
})
