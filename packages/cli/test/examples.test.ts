/** The programs in examples/ do what they say. */
import { assert, describe, it } from "@effect/vitest"
import { createHash } from "node:crypto"
import { readFileSync } from "node:fs"
import { fileURLToPath } from "node:url"
import { inject } from "vitest"
import * as Process from "./support/Process.ts"

const path = (relative: string) => fileURLToPath(new URL(`../../../${relative}`, import.meta.url))

const runExample = (name: string, ...args: ReadonlyArray<string>) =>
  Process.run(args, { program: path(`examples/${name}`), env: { MUSTER_DATA_DIR: inject("dataDir") } })

describe("examples", () => {
  it("sha256.ts hashes files on the workers", async () => {
    const files = [path("LICENSE"), path("package.json"), path("no-such-file")]
    const { code, err, out } = await runExample("sha256.ts", ...files)
    const lines = files
      .slice(0, 2)
      .map((file) => `${createHash("sha256").update(readFileSync(file)).digest("hex")}  ${file}`)
    assert.sameMembers(out.trim().split("\n"), lines, err)
    assert.include(err, `${path("no-such-file")}: sha256sum:`)
    assert.include(err, "3 of 3 settled, 1 failed")
    assert.strictEqual(code, 1)
  })

  it("handlers/main.ts gets typed outputs and typed failures back", async () => {
    const { code, err, out } = await runExample("handlers/main.ts")
    assert.strictEqual(code, 0, err)
    const [words, ...roots] = out.trim().split("\n")
    assert.strictEqual(words, "words: 4")
    assert.sameMembers(roots, [
      "root of 49: 7",
      "root of 50: none, not exact",
      "root of -1: none, negative",
      "root of 144: 12"
    ])
  })
})
