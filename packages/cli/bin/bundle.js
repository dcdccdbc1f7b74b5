// Whether the bundle may be used. Plain JavaScript that any Node from 20 on understands.
import { readdirSync, statSync } from "node:fs"
import { dirname, join } from "node:path"
import { fileURLToPath } from "node:url"

const packages = join(dirname(fileURLToPath(import.meta.url)), "..", "..")

/** The bundle of the command. */
export const bundle = join(packages, "cli", "dist", "muster.mjs")

const modifiedAt = (path) => statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0

const sources = () =>
  readdirSync(packages).flatMap((name) => {
    const directory = join(packages, name, "src")
    if (modifiedAt(directory) === 0) return []
    const files = readdirSync(directory, { recursive: true })
    return files.filter((file) => file.endsWith(".ts")).map((file) => join(directory, file))
  })

/** Whether the bundle is there and no source has changed since it was made. Some 400 files are looked at: milliseconds. */
export const isCurrent = () => {
  const madeAt = modifiedAt(bundle)
  return madeAt > 0 && sources().every((source) => modifiedAt(source) <= madeAt)
}
