/**
 * One real Muster for all tests of the command that need one: `muster dev` as users start it, on a fresh directory.
 */
import type { TestProject } from "vitest/node"
import { mkdir, rm } from "node:fs/promises"
import { fileURLToPath } from "node:url"
import * as Bundle from "./Bundle.ts"
import * as DataDirectory from "./DataDirectory.ts"
import * as Process from "./Process.ts"

declare module "vitest" {
  export interface ProvidedContext {
    /** Of the Muster of all tests. */
    readonly dataDir: string
    /** The bundled command. */
    readonly entry: string
  }
}

const path = (relative: string) => fileURLToPath(new URL(relative, import.meta.url))

export const setup = async (project: TestProject) => {
  await mkdir(path("../../../../.tsbuild"), { recursive: true })
  const bundle = await Bundle.build()
  const dataDir = await DataDirectory.make("cli")
  const options = { env: { MUSTER_DATA_DIR: dataDir }, program: bundle.entry }
  const handlers = path("../../../../examples/handlers/tasks.ts")
  const started = await Process.run(
    ["dev", "--detach", "--port", "0", "--workers", "2", "--handlers", handlers],
    options
  )
  if (started.code !== 0) throw new Error(`muster dev did not start: ${started.err}`)
  project.provide("dataDir", dataDir)
  project.provide("entry", bundle.entry)
  return async () => {
    const stopped = await Process.run(["dev", "stop"], options)
    await rm(dataDir, { recursive: true, force: true })
    await bundle.remove()
    if (stopped.code !== 0) throw new Error(`muster dev did not stop: ${stopped.err}`)
  }
}
