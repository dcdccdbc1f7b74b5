/**
 * Files that must not be left behind when a system has ended in order: sockets, and what tasks worked in. A manager's
 * identity, its journal and the logs of tasks stay, and so do the two files of a worker that its guardian needs to clean up
 * behind it; the next worker in its place removes those.
 */
import { existsSync, readdirSync } from "node:fs"
import { join, sep } from "node:path"

const keptInWork = new Set(["current", "guardian.sh"])

/** Node keeps compiled code there, for all programs of a user. */
const keptInTemporary = new Set(["node-compile-cache"])

const filesBelow = (directory: string): ReadonlyArray<string> =>
  existsSync(directory)
    ? readdirSync(directory, { withFileTypes: true, recursive: true }).flatMap((entry) =>
        entry.isDirectory() ? [] : [join(entry.parentPath, entry.name)]
      )
    : []

export const ofManager = (directory: string): ReadonlyArray<string> => {
  const work = join(directory, "work")
  return [
    ...readdirSync(directory).flatMap((name) => (name.endsWith(".sock") ? [join(directory, name)] : [])),
    // `work/worker-<slot>/<file>`, and all that lies deeper.
    ...filesBelow(work).filter((path) => {
      const [, name = "", ...deeper] = path.slice(work.length + 1).split(sep)
      return deeper.length > 0 || !keptInWork.has(name)
    })
  ]
}

export const ofTemporary = (directory: string): ReadonlyArray<string> =>
  readdirSync(directory)
    .filter((name) => !keptInTemporary.has(name))
    .map((name) => join(directory, name))
