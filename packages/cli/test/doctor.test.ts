/** `muster doctor` against a real Muster, and against things that are wrong. */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { inject } from "vitest"
import { chmod, copyFile, mkdir, mkdtemp, rm, writeFile } from "node:fs/promises"
import { createServer } from "node:http"
import { tmpdir } from "node:os"
import { join } from "node:path"
import type { Finding } from "@muster/domain/Doctor/Finding"
import * as Mistyped from "../src/doctor/Mistyped.ts"
import * as ThisMachine from "../src/doctor/ThisMachine.ts"
import * as Style from "../src/Style.ts"
import * as Findings from "../src/views/Findings.ts"
import * as Muster from "./support/Muster.ts"

const directory = Effect.acquireRelease(
  Effect.promise(() => mkdtemp(join(tmpdir(), "muster-doctor-"))),
  (path) => Effect.promise(() => rm(path, { recursive: true }))
)

const examine = (args: ReadonlyArray<string>, env: Readonly<Record<string, string>> = {}) =>
  Effect.map(Muster.run(["doctor", ...args, "-o", "json"], { env }), (result) => ({
    ...result,
    findings: JSON.parse(result.out) as ReadonlyArray<Finding> // what it prints
  }))

const bad = (findings: ReadonlyArray<Finding>) => findings.filter(({ severity }) => severity !== "ok")

describe("muster doctor", () => {
  it.live("finds no error in a Muster that is well, and shows every setting with its origin", () =>
    Effect.gen(function* () {
      const { code, err, findings } = yield* examine(["--full"])
      assert.deepStrictEqual(
        bad(findings).filter(({ severity }) => severity === "error"),
        []
      )
      assert.strictEqual(code, 0, err)
      const checks = new Set(findings.map(({ check }) => check))
      for (const check of [
        "settings.value",
        "files.profile",
        "machine.launcher",
        "machine.cgroups",
        "disk.space",
        "coordinator.reachable",
        "coordinator.version",
        "coordinator.setting",
        "clock.database",
        "database.version",
        "database.fsync",
        "database.rights",
        "work.leases",
        "projections.equal"
      ]) {
        assert.isTrue(checks.has(check), check)
      }
      const url = findings.find(({ what }) => what.startsWith("url is "))
      assert.include(url?.what ?? "", `(profile ${join(inject("dataDir"), "profile.json")})`)
      assert.notMatch(JSON.stringify(findings), /mst_(?:admin|enrolment)_|postgres:[^*]+@/)
    })
  )

  it.live("asks a coordinator to look at the database when it knows of none itself", () =>
    Effect.gen(function* () {
      const url = (yield* Muster.json(["config", "view"])).find((row: { name: string }) => row.name === "url").value
      const token = yield* Muster.run(["token", "create", `doctor-${Date.now()}`, "--role", "admin", "-o", "ids"])
      const elsewhere = yield* directory
      const env = { MUSTER_DATA_DIR: elsewhere, MUSTER_URL: url, MUSTER_TOKEN: token.out.trim() }
      const { code, findings } = yield* examine([], env)
      assert.strictEqual(code, 0)
      assert.isTrue(findings.some(({ check }) => check === "database.fsync"))
      assert.isTrue(findings.some(({ check }) => check === "projections.equal"))
      const wrong = yield* examine([], { ...env, MUSTER_TOKEN: "mst_admin_wrong" })
      assert.strictEqual(wrong.code, 1)
      assert.match(bad(wrong.findings).find(({ check }) => check === "coordinator.reachable")?.what ?? "", /token/)
    })
  )

  it.live("tells what it can of a database whose coordinators are down, or are none", () =>
    Effect.gen(function* () {
      const stranger = yield* Effect.acquireRelease(
        Effect.callback<{ readonly port: number; readonly close: () => void }>((resume) => {
          const server = createServer((_request, response) => response.writeHead(404).end())
          server.listen(0, "127.0.0.1", () => {
            const address = server.address()
            const port = address !== null && typeof address === "object" ? address.port : 0
            resume(Effect.succeed({ port, close: () => server.close() }))
          })
        }),
        ({ close }) => Effect.sync(close)
      )
      const { code, findings } = yield* examine(["--url", `http://127.0.0.1:9,http://127.0.0.1:${stranger.port}`])
      assert.strictEqual(code, 1)
      const of = (check: string) =>
        findings.filter((finding) => finding.check === check).map(({ severity }) => severity)
      assert.deepStrictEqual(of("coordinator.reachable"), ["error", "error"])
      assert.deepStrictEqual(of("cluster.coordinators"), ["ok"], "it is there all the same, by its locks")
      assert.deepStrictEqual(of("database.version"), ["ok"])
      const lines = Findings.lines(findings, Style.plain).join("\n")
      assert.match(lines, /^ {2}error {4}cannot reach http:\/\/127\.0\.0\.1:9.*\n {11}-> see whether it runs/m)
    })
  )

  it.live("minds files that others may read, and settings that are mistyped; warnings fail only if asked", () =>
    Effect.gen(function* () {
      const own = yield* directory
      yield* Effect.promise(() => copyFile(join(inject("dataDir"), "profile.json"), join(own, "profile.json")))
      yield* Effect.promise(() => chmod(join(own, "profile.json"), 0o644))
      const env = { MUSTER_DATA_DIR: own, MUSTER_DATABASE_ULR: "postgres://x/y" }
      const open = yield* examine([], env)
      assert.strictEqual(open.code, 1)
      const finding = bad(open.findings).find(({ check }) => check === "files.profile")
      assert.strictEqual(finding?.severity, "error")
      assert.include(finding?.next ?? "", `chmod 600 ${join(own, "profile.json")}`)
      assert.include(JSON.stringify(bad(open.findings)), "is it meant to be MUSTER_DATABASE_URL?")

      // Now there are warnings only.
      yield* Effect.promise(() => chmod(join(own, "profile.json"), 0o600))
      assert.strictEqual((yield* examine([], env)).code, 0)
      assert.strictEqual((yield* examine(["--strict"], env)).code, 1)

      yield* Effect.promise(() => writeFile(join(own, "profile.json"), "{ no json", { mode: 0o600 }))
      const broken = yield* examine([], { MUSTER_DATA_DIR: own })
      assert.strictEqual(broken.code, 1)
      assert.strictEqual(bad(broken.findings).find(({ check }) => check === "files.profile")?.severity, "error")
    })
  )
})

describe("what the doctor sees of a machine", () => {
  it("is limits as the kernel writes them", () => {
    const text =
      "Limit Soft Hard Units\nMax open files            1024                 524288   files\nMax processes             unlimited            unlimited            processes"
    assert.deepStrictEqual(ThisMachine.limits(text), {
      files: { soft: 1_024, hard: 524_288 },
      processes: { soft: null, hard: null }
    })
    assert.deepStrictEqual(ThisMachine.limits("nothing"), { files: null, processes: null })
  })

  it("is names that were probably meant to be others", () => {
    const known = ["MUSTER_URL", "MUSTER_TOKEN"]
    assert.deepStrictEqual(Mistyped.find({ MUSTER_ULR: "x" }, known), [{ name: "MUSTER_ULR", meant: "MUSTER_URL" }])
    // A name of somebody else, and one whose twin is set as well.
    assert.deepStrictEqual(Mistyped.find({ MUSTER_SOMETHING: "x", MUSTER_TOKENS: "x", MUSTER_TOKEN: "y" }, known), [])
  })

  it.live("is directories and files with their rights", () =>
    Effect.gen(function* () {
      const own = yield* directory
      yield* Effect.promise(() => mkdir(join(own, "manager"), { mode: 0o755 }))
      yield* Effect.promise(() => writeFile(join(own, "tokens.json"), "{}", { mode: 0o640 }))
      const files = ThisMachine.files(own, undefined)
      const of = (check: string) => files.find((file) => file.check === check)?.found
      assert.deepStrictEqual(of("files.tokens"), { mode: 0o640, isUsable: true })
      assert.deepStrictEqual(of("files.manager"), { mode: 0o755, isUsable: true })
      assert.isNull(of("files.profile"))
    })
  )
})
