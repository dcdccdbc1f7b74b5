/**
 * The directories that commands of a worker work in.
 *
 * `exec`, `result` and `resource` are fresh for each command. As most leave them as they were, they are made once and used
 * again while they are empty: that costs 6 µs a command to see, and 100 µs each to make.
 */
import { lstatSync, mkdirSync, readdirSync, renameSync, rmSync, writeFileSync } from "node:fs"
import { chmod, lstat, readdir, rm } from "node:fs/promises"
import { join } from "node:path"
import { Context, Effect, Layer } from "effect"
import { WorkerConfig } from "../WorkerConfig.ts"

const directoryNames = ["exec", "result", "resource"] as const

/** Trees that may wait for their removal before commands have to wait for it. */
const maxTrash = 8

export class Scratch {
  private readonly root: string
  private generation = 0
  private inputs = 0
  private current: Generation
  private readonly trash = new Set<Promise<void>>()
  private trashed = 0
  /** What the process's umask makes of a new directory. */
  private readonly mode: number

  /** A file that names the running command; see `Launcher`. */
  readonly currentFile: string

  /** Takes over `root` and removes what is in it. */
  constructor(root: string) {
    this.root = root
    rmSync(root, { recursive: true, force: true })
    mkdirSync(join(root, "trash"), { recursive: true })
    this.current = makeGeneration(join(root, "0"))
    this.mode = lstatSync(this.current.exec).mode
    this.currentFile = this.write("current", `${"0".padEnd(10)}\n`)
  }

  get exec(): string {
    return this.current.exec
  }

  get result(): string {
    return this.current.result
  }

  get resource(): string {
    return this.current.resource
  }

  /** What each command is to find empty. */
  get directories(): ReadonlyArray<string> {
    return [this.current.exec, this.current.result, this.current.resource]
  }

  /** Path of a file for the worker's own use. */
  file(name: string): string {
    return join(this.root, name)
  }

  /** Writes a file for the worker's own processes. */
  write(name: string, text: string): string {
    const file = this.file(name)
    writeFileSync(file, text)
    return file
  }

  /** Writes a command's standard input to a file, which `forget` removes. */
  stdin(text: string): string {
    const file = this.file(`stdin-${++this.inputs}`)
    writeFileSync(file, text)
    return file
  }

  forget(stdin: string): void {
    rmSync(stdin, { force: true })
  }

  /** After a command that may have changed them: the directories are as they were before it. */
  recycle(): void {
    for (const name of directoryNames) {
      const directory = this.current[name]
      if (isPristine(directory, this.mode)) continue
      this.discard(directory)
      mkdirSync(directory)
    }
  }

  /** After a command of which something lives on: the next one shares no directory with that. */
  replace(): void {
    const old = this.current
    this.current = makeGeneration(join(this.root, String(++this.generation)))
    this.discard(old.path)
  }

  /** Waits until not too much waits for its removal; nothing to wait for is the rule. */
  get settled(): Promise<void> | undefined {
    return this.trash.size < maxTrash ? undefined : Promise.race(this.trash)
  }

  private discard(path: string): void {
    const grave = join(this.root, "trash", String(++this.trashed))
    try {
      renameSync(path, grave)
    } catch {
      return // the command removed it itself
    }
    const removal = removeTree(grave)
    this.trash.add(removal)
    void removal.finally(() => this.trash.delete(removal))
  }
}

interface Generation {
  readonly path: string
  readonly exec: string
  readonly result: string
  readonly resource: string
}

const makeGeneration = (path: string): Generation => {
  const [exec, result, resource] = [join(path, "exec"), join(path, "result"), join(path, "resource")]
  mkdirSync(path)
  for (const directory of [exec, result, resource]) mkdirSync(directory)
  return { path, exec, result, resource }
}

/** Whether a command left a directory as it was. It may have put a link to somewhere else in its place. */
const isPristine = (directory: string, mode: number): boolean => {
  const status = lstatSync(directory, { throwIfNoEntry: false })
  return status?.mode === mode && readdirSync(directory).length === 0
}

/** Removes a tree, also one in which a command took away its own right to do so (as some package caches do). */
const removeTree = async (path: string): Promise<void> => {
  const options = { recursive: true, force: true, maxRetries: 3 }
  try {
    await rm(path, options)
  } catch {
    // What still cannot be removed then stays until the worker's directory is emptied at the next start.
    await permit(path).then(
      () => rm(path, options),
      () => {}
    )
  }
}

const permit = async (path: string): Promise<void> => {
  if (!(await lstat(path)).isDirectory()) return
  await chmod(path, 0o700)
  for (const name of await readdir(path)) await permit(join(path, name))
}

/** The scratch directory of this process. */
export class ScratchDirectory extends Context.Service<ScratchDirectory, Scratch>()("@muster/worker/ScratchDirectory") {
  static readonly layer: Layer.Layer<ScratchDirectory, never, WorkerConfig> = Layer.effect(
    ScratchDirectory,
    Effect.gen(function* () {
      const { slot, workDir } = yield* WorkerConfig
      return new Scratch(join(workDir, `worker-${slot}`))
    })
  )
}
