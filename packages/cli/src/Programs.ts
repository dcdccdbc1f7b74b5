/** How this command's own processes are started: the same program again, or a worker. */
import { existsSync } from "node:fs"
import { dirname, join } from "node:path"
import { fileURLToPath } from "node:url"

/** The file that Node was started with: the launcher, the bundle or the source. */
const entry = (): string => process.argv[1] ?? fileURLToPath(import.meta.url)

/** Program and arguments that run `muster` with these arguments, in a Node that is started with these flags. */
export const muster = (
  args: ReadonlyArray<string>,
  program = entry(),
  flags: ReadonlyArray<string> = []
): ReadonlyArray<string> => [process.execPath, ...flags, program, ...args]

/** The worker beside the bundle, or the worker's source. */
const workerEntry = (): string => {
  // A bundle is split into files in several directories below `dist`.
  for (let directory = dirname(fileURLToPath(import.meta.url)); ; directory = dirname(directory)) {
    const bundled = join(directory, "worker.mjs")
    if (existsSync(bundled)) return bundled
    if (directory === dirname(directory)) return fileURLToPath(import.meta.resolve("@muster/worker/main"))
  }
}

/** Program and arguments that run a worker. */
export const worker = (): ReadonlyArray<string> => [process.execPath, workerEntry()]

/** What a user types to run this command. */
export const name = (): string => (process.env["npm_command"] === undefined ? "muster" : "npx muster")
