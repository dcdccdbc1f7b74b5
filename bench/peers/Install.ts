/**
 * The peers' packages, installed into `bench/node_modules` when the bench first needs one. Users of Muster never get them.
 */
import { spawnSync } from "node:child_process"
import { readFileSync } from "node:fs"
import { fileURLToPath } from "node:url"
import { Console, Effect, Schema } from "effect"

const directory = fileURLToPath(new URL("..", import.meta.url))

const Lock = Schema.fromJsonString(
  Schema.Struct({
    packages: Schema.Record(
      Schema.String,
      Schema.Struct({ version: Schema.optionalKey(Schema.String), optional: Schema.optionalKey(Schema.Boolean) })
    )
  })
)
const decodeLock = Schema.decodeUnknownSync(Lock)

const readLock = (path: string) => {
  try {
    return decodeLock(readFileSync(`${directory}/${path}`, "utf8")).packages
  } catch {
    return {}
  }
}

/** Whether what npm says it installed is what the lock file asks for. */
const isInstalled = (): boolean => {
  const installed = readLock("node_modules/.package-lock.json")
  return Object.entries(readLock("package-lock.json")).every(
    ([path, { optional, version }]) => path === "" || optional === true || installed[path]?.version === version
  )
}

/** Whether they are there now. */
export const ensure: Effect.Effect<boolean> = Effect.gen(function* () {
  if (isInstalled()) return true
  yield* Console.error("bench: installing the peers into bench/node_modules, once")
  return yield* Effect.sync(() => {
    const { status } = spawnSync(
      "npm",
      ["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"],
      // Standard output is for figures.
      { cwd: directory, stdio: ["ignore", 2, 2] }
    )
    return status === 0
  })
})
