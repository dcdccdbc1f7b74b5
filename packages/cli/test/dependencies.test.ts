/** Every package that is used is listed with the reason for it. */
import { readdirSync, readFileSync } from "node:fs"
import { assert, describe, it } from "vitest"

const root = new URL("../../../", import.meta.url)

const read = (path: string): string => readFileSync(new URL(path, root), "utf8")

type Manifest = Readonly<Record<string, Readonly<Record<string, string>> | undefined>>

const manifests: ReadonlyArray<readonly [path: string, manifest: Manifest]> = [
  "package.json",
  ...readdirSync(new URL("packages", root)).map((name) => `packages/${name}/package.json`)
].map((path) => [path, JSON.parse(read(path))])

const kinds = ["dependencies", "optionalDependencies", "peerDependencies", "devDependencies"] as const

const ours = (name: string) => name.startsWith("@muster/")

describe("docs/dependencies.md", () => {
  const text = read("docs/dependencies.md")
  const [forUse = "", forDevelopment = ""] = text.split("For development only:")
  // The table: a package, where it is used, and why.
  const rows = forUse.split("\n").filter((line) => line.startsWith("| `"))
  const reasons = new Map(
    rows.flatMap((row) => {
      const [names = "", where = "", why = ""] = row.slice(2).split(" | ")
      return Array.from(names.matchAll(/`([^`]+)`/g), ([, name = ""]) => [name, { where, why }] as const)
    })
  )

  it("names each package that is needed to run, with where and why", () => {
    for (const [path, manifest] of manifests) {
      for (const kind of kinds.filter((one) => one !== "devDependencies")) {
        for (const name of Object.keys(manifest[kind] ?? {}).filter((one) => !ours(one))) {
          assert.isAbove(reasons.get(name)?.why.length ?? 0, 20, `${name} of ${path}`)
        }
      }
    }
  })

  it("names each package that is needed to develop", () => {
    for (const [path, manifest] of manifests) {
      for (const name of Object.keys(manifest["devDependencies"] ?? {})) {
        assert.isTrue(reasons.has(name) || forDevelopment.includes(`\`${name}\``), `${name} of ${path}`)
      }
    }
  })

  it("names nothing that is not used", () => {
    const used = new Set(
      manifests.flatMap(([, manifest]) => kinds.flatMap((kind) => Object.keys(manifest[kind] ?? {})))
    )
    for (const name of reasons.keys()) assert.isTrue(used.has(name), name)
  })

  it("is about exact versions, and about what a lock file with hashes pins", () => {
    for (const [path, manifest] of manifests) {
      for (const kind of kinds) {
        for (const [name, version] of Object.entries(manifest[kind] ?? {})) {
          assert.match(version, /^\d+\.\d+\.\d+(?:-[\w.]+)?$/, `${name} of ${path}`)
        }
      }
    }
    const { packages } = JSON.parse(read("package-lock.json"))
    for (const [path, entry] of Object.entries<{ link?: boolean; integrity?: string }>(packages)) {
      if (!path.includes("node_modules/") || entry.link === true) continue
      assert.match(entry.integrity ?? "", /^sha512-/, path)
    }
  })
})
