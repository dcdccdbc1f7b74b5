import { readFileSync } from "node:fs"
import { assert, it } from "@effect/vitest"
import { version } from "../src/Version.ts"

const manifests = ["domain", "server", "manager", "worker", "client", "cli"].map((name) => `../../${name}/package.json`)

it.each(["../../../package.json", ...manifests])("the version is that of %s", (path) => {
  const manifest: unknown = JSON.parse(readFileSync(new URL(path, import.meta.url), "utf8"))
  assert.deepInclude(manifest, { version })
})
