/**
 * Which file a program's name means, and why one could not be started.
 */
import { accessSync, constants, existsSync, statSync } from "node:fs"
import { isAbsolute, resolve as resolvePath } from "node:path"

/** What the C library searches when there is no PATH. */
const defaultPath = "/usr/local/bin:/usr/bin:/bin"

const canRun = (file: string): boolean => {
  try {
    accessSync(file, constants.X_OK)
    return statSync(file).isFile()
  } catch {
    return false
  }
}

/** Names found before; forgotten all at once when there are this many. */
const maxKnown = 1_000

/** Finds programs as the shell does, and remembers: looking through PATH takes longer than starting a small program. */
export class Programs {
  private readonly known = new Map<string, string>()

  /** The file that a name stands for, or nothing if there is none. A name with a slash is taken as it is. */
  find(name: string, path: string = defaultPath, cwd: string): string | undefined {
    if (name.includes("/")) return name
    const key = `${path}\0${name}`
    const found = this.known.get(key)
    if (found !== undefined) return found
    for (const directory of path.split(":")) {
      const file = resolvePath(cwd, directory, name)
      if (!canRun(file)) continue
      if (!isAbsolute(directory)) return file // depends on the working directory
      if (this.known.size >= maxKnown) this.known.clear()
      this.known.set(key, file)
      return file
    }
    return undefined
  }

  /** A file that was found is no longer there. */
  forget(name: string, path: string = defaultPath): boolean {
    return this.known.delete(`${path}\0${name}`)
  }
}

const quote = (text: string): string => JSON.stringify(text)

/** One line that says why the system refused to start `program`. `code` is the name of the system's error. */
export const explain = (code: string, program: string, cwd: string): string => {
  const directory = statSync(cwd, { throwIfNoEntry: false })
  if (directory === undefined) return `working directory ${quote(cwd)} does not exist`
  if (!directory.isDirectory()) return `working directory ${quote(cwd)} is not a directory`
  const file = resolvePath(cwd, program)
  switch (code) {
    case "ENOENT":
    case "ENOTDIR":
      return existsSync(file)
        ? `the interpreter that ${quote(program)} names in its first line does not exist`
        : `program ${quote(program)} does not exist`
    case "EACCES":
    case "EPERM": {
      if (!mayEnter(cwd)) return `working directory ${quote(cwd)} may not be entered`
      return statSync(file, { throwIfNoEntry: false })?.isDirectory() === true
        ? `program ${quote(program)} is a directory`
        : `program ${quote(program)} is not executable`
    }
    case "E2BIG":
      return `arguments and environment of program ${quote(program)} are together longer than the system allows`
    default:
      return `program ${quote(program)} could not be started: ${code}`
  }
}

const mayEnter = (directory: string): boolean => {
  try {
    accessSync(directory, constants.X_OK)
    return true
  } catch {
    return false
  }
}

/** One line for a name that PATH does not know. */
export const notFound = (name: string, path: string = defaultPath): string =>
  `program ${quote(name)} is in none of the directories of PATH (${path})`
