// Whether the bundle may be used. Plain JavaScript that any Node from 20 on understands.
import { readdirSync, statSync } from "node:fs"
import { dirname, join } from "node:path"
import { fileURLToPath } from "node:url"

const packages = join(dirname(fileURLToPath(import.meta.url)), "..", "..")

/** The bundle of the command. */
export const bundle = join(packages, "cli", "dist", "muster.mjs")

const modifiedAt = (path) => statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0

const filesIn = (directory, isMeant) => {
  if (modifiedAt(directory) === 0) return []
  return readdirSync(directory, { recursive: true })
    .filter(isMeant)
    .map((file) => join(directory, file))
}

const sources = () => [
  ...readdirSync(packages).flatMap((name) => filesIn(join(packages, name, "src"), (file) => file.endsWith(".ts"))),
  // Binaries that the bundle carries as they are.
  ...filesIn(join(packages, "worker", "launcher"), (file) => file.startsWith("linux-"))
]

/** Whether the bundle is there and no source has changed since it was made. Some 400 files are looked at: milliseconds. */
export const isCurrent = () => {
  const madeAt = modifiedAt(bundle)
  return madeAt > 0 && sources().every((source) => modifiedAt(source) <= madeAt)
}
