/**
 * What the bench runs is what users run: the bundle of the command. Sources would start slower and need more memory.
 */
import { spawnSync } from "node:child_process"
import { dirname, join } from "node:path"
import { fileURLToPath } from "node:url"
import { Effect } from "effect"
import { nodeFlags } from "@muster/server/NodeFlags"
import { bundle } from "../packages/cli/bin/bundle.js"
import * as System from "../test/e2e/support/System.ts"

/** What a bundled manager starts, by itself. */
export const worker = join(dirname(bundle), "worker.mjs")

/** As `muster dev` starts them. */
export const bundled: System.Programs = {
  coordinator: [...nodeFlags, bundle, "server", "start"],
  manager: [bundle, "manager", "start"]
}

/** A manager whose workers are started by this. The command `manager start` knows only its own worker. */
export const managerOf = (workerCommand: ReadonlyArray<string>): System.Programs => ({
  ...System.sources,
  worker: workerCommand
})

const script = fileURLToPath(new URL("../scripts/build.ts", import.meta.url))

/** Makes the bundle, if a source has changed since it was made. */
export const build = Effect.sync(() => {
  // Standard output is for figures.
  const { status } = spawnSync(process.execPath, [script, "--if-stale"], { stdio: ["ignore", 2, 2] })
  if (status !== 0) throw new Error("the bundle could not be built")
})
