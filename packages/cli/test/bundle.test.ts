/** A suite taken from one Muster to another: exported, replayed, opened for reading. */
import { afterAll, assert, describe, it } from "@effect/vitest"
import { existsSync, readFileSync, readdirSync, writeFileSync } from "node:fs"
import { mkdtemp, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { gunzipSync } from "node:zlib"
import { inject } from "vitest"
import * as DataDirectory from "./support/DataDirectory.ts"
import * as Process from "./support/Process.ts"

const directories: Array<string> = []

afterAll(async () => {
  for (const dataDir of directories) {
    await Process.run(["dev", "stop"], { env: { MUSTER_DATA_DIR: dataDir } })
    await rm(dataDir, { recursive: true, force: true })
  }
})

const secret = "swordfish-7261"

describe("a bundle", () => {
  it("holds all that happened to a suite, and can be replayed and opened elsewhere, where nothing of it is started", async () => {
    const home = { env: { MUSTER_DATA_DIR: inject("dataDir") } }
    const run = await Process.run(
      [
        "run",
        "--name",
        "taken",
        "--env",
        `TOKEN=${secret}`,
        "-o",
        "json",
        "--",
        "sh",
        "-c",
        "exit {}",
        ":::",
        "0",
        "3"
      ],
      home
    )
    assert.strictEqual(run.code, 5, run.err)
    const { id }: { readonly id: string } = JSON.parse(run.out)
    const explained = await Process.run(["task", "explain", `${id}.1`, "-o", "json"], home)
    const scratch = await mkdtemp(join(tmpdir(), "muster-bundle-"))
    directories.push(scratch)
    const file = join(scratch, "taken.jsonl.gz")
    const exported = await Process.run(["event", "export", "--suite", id, "--out", file, "-o", "json"], home)
    assert.strictEqual(exported.code, 0, exported.err)
    const lines = gunzipSync(readFileSync(file)).toString().trimEnd().split("\n")
    assert.lengthOf(lines, JSON.parse(exported.out).events + 2)
    assert.notInclude(lines.join("\n"), secret)
    assert.include(lines.join("\n"), '"env":{"TOKEN":"***"}')
    const again = await Process.run(["event", "export", "--suite", id, "--out", file], home)
    assert.strictEqual(again.code, 2)
    assert.match(again.err, /--out is ".*"; allowed: a file that is not there yet/)

    // Replayed without any Muster.
    const nowhere = { env: { MUSTER_DATA_DIR: scratch } }
    const replayed = await Process.run(["replay", file, "-o", "jsonl"], nowhere)
    assert.strictEqual(replayed.code, 0, replayed.err)
    const steps: ReadonlyArray<{
      readonly event: { readonly type: string }
      readonly state: { readonly suites: ReadonlyArray<{ readonly tasks: object }> }
    }> = replayed.out
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line))
    assert.lengthOf(steps, lines.length - 2)
    assert.deepInclude(steps.at(-1)?.state.suites[0]?.tasks, { total: 2, succeeded: 1, failed: 1, pending: 0 })

    // A damaged one leaves nothing.
    const damaged = join(scratch, "damaged.jsonl.gz")
    writeFileSync(damaged, readFileSync(file).subarray(0, -20))
    const target = join(scratch, "none")
    for (const command of [
      ["dev", "--import", damaged, "--data-dir", target],
      ["replay", damaged]
    ]) {
      const refused = await Process.run(command, nowhere)
      assert.strictEqual(refused.code, 1)
      assert.match(refused.err, /^muster: \S+ is cut off: its end is missing\n {8}`muster event export/)
    }
    assert.isFalse(existsSync(target))

    // Opened elsewhere, where it can only be looked at.
    const dataDir = await DataDirectory.make("imported")
    directories.push(dataDir)
    const there = { env: { MUSTER_DATA_DIR: dataDir } }
    const opened = await Process.run(["dev", "--import", file, "--port", "0", "--detach", "-o", "json"], there)
    assert.strictEqual(opened.code, 0, opened.err)
    const info: {
      readonly processes: ReadonlyArray<{ readonly role: string }>
      readonly imported: { readonly suite: string }
    } = JSON.parse(opened.out)
    assert.deepStrictEqual(
      info.processes.map(({ role }) => role),
      ["postgres", "coordinator"]
    )
    assert.strictEqual(info.imported.suite, id)
    const explainedThere = await Process.run(["task", "explain", `${id}.1`, "-o", "json"], there)
    const [mine, theirs] = [JSON.parse(explained.out), JSON.parse(explainedThere.out)]
    assert.deepStrictEqual(theirs.history, mine.history)
    assert.deepStrictEqual(theirs.attempts, mine.attempts)
    assert.strictEqual(theirs.state, "failed")
    const checked = await Process.run(["admin", "rebuild", "--check"], there)
    assert.strictEqual(checked.code, 0, checked.err)
    for (const command of [
      ["run", "--", "true"],
      ["suite", "retry", id],
      ["suite", "cancel", id]
    ]) {
      const refused = await Process.run(command, there)
      assert.strictEqual(refused.code, 1)
      assert.match(refused.err, /is open for reading only here/)
    }
    const twice = await Process.run(["dev", "--import", file], there)
    assert.strictEqual(twice.code, 2)
    assert.match(twice.err, /is in use; allowed: a directory that is not there yet/)

    // It stays so, whoever starts it again.
    await Process.run(["dev", "stop"], there)
    const reopened = await Process.run(["dev", "--port", "0", "--detach", "-o", "json"], there)
    assert.strictEqual(reopened.code, 0, reopened.err)
    assert.strictEqual(JSON.parse(reopened.out).imported.suite, id)
    assert.strictEqual((await Process.run(["run", "--", "true"], there)).code, 1)
    assert.notInclude(readdirSync(dataDir), "manager")
  }, 60_000)
})
