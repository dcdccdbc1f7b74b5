/**
 * One real Muster for all tests of the command that need one: `muster dev` as users start it, on a fresh directory.
 */
import type { TestProject } from "vitest/node"
import { mkdtemp, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import * as Process from "./Process.ts"

declare module "vitest" {
  export interface ProvidedContext {
    readonly dataDir: string
  }
}

export const setup = async (project: TestProject) => {
  const dataDir = await mkdtemp(join(tmpdir(), "muster-cli-"))
  const env = { MUSTER_DATA_DIR: dataDir }
  const started = await Process.run(["dev", "--detach", "--port", "0", "--workers", "2"], { env })
  if (started.code !== 0) throw new Error(`muster dev did not start: ${started.err}`)
  project.provide("dataDir", dataDir)
  return async () => {
    const stopped = await Process.run(["dev", "stop"], { env })
    await rm(dataDir, { recursive: true, force: true })
    if (stopped.code !== 0) throw new Error(`muster dev did not stop: ${stopped.err}`)
  }
}
