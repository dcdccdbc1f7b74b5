/**
 * Starts programs with Node alone: works everywhere, at a fraction of the speed (see `Launcher`).
 */
import { spawn } from "node:child_process"
import { closeSync, openSync, readFileSync, rmSync, writeSync } from "node:fs"
import { Effect, Predicate } from "effect"
import type { OutputStream } from "@muster/domain/Manager/Directive"
import type { Launcher, Make, Options, Start, Watcher } from "./Launcher.ts"
import { NamedPipe } from "./NamedPipe.ts"

/** Between two looks at how much memory a program uses. What ends sooner is not measured. */
const sampleMillis = 1_000

export const make: Make = (options) =>
  Effect.acquireRelease(
    Effect.sync(() => new NodeLauncher(options)),
    (launcher) => Effect.sync(() => launcher.close())
  )

class NodeLauncher implements Launcher {
  readonly kind = "node"
  readonly helper = undefined
  readonly capacity = 1
  private readonly scratch: Options["scratch"]
  private readonly currentFile: number
  private generation = 0
  private stdout: NamedPipe
  private stderr: NamedPipe
  private watcher: Watcher | undefined
  private pid: number | undefined

  constructor({ scratch }: Options) {
    this.scratch = scratch
    this.currentFile = openSync(scratch.currentFile, "r+")
    this.stdout = this.makePipe("stdout")
    this.stderr = this.makePipe("stderr")
  }

  current(): number | undefined {
    return this.pid
  }

  launch(start: Start, watcher: Watcher): void {
    this.watcher = watcher
    const startedAt = Date.now()
    const since = performance.now()
    const opened: Array<number> = []
    const open = (path: string, mode: "r" | "w") => {
      const descriptor = openSync(path, mode)
      opened.push(descriptor)
      return descriptor
    }
    let child
    try {
      const stdin = start.stdin === undefined ? "ignore" : open(start.stdin, "r")
      child = spawn(start.program, start.args, {
        argv0: start.name,
        cwd: start.cwd,
        env: { ...start.sharedEnv, ...start.env },
        detached: true,
        stdio: [stdin, open(this.stdout.path, "w"), open(this.stderr.path, "w")]
      })
    } catch (error) {
      // Some refusals (an argument that is too long) are thrown, others come as an event.
      queueMicrotask(() => watcher.onEnd({ _tag: "Refused", code: codeOf(error) }))
      return
    } finally {
      for (const descriptor of opened) closeSync(descriptor)
    }
    const { pid } = child
    if (pid === undefined) {
      child.once("error", (error) => watcher.onEnd({ _tag: "Refused", code: codeOf(error) }))
      return
    }
    this.setCurrent(pid)
    let peakMemory: number | undefined
    const sampler = setInterval(() => {
      peakMemory = peakMemoryOf(pid) ?? peakMemory
    }, sampleMillis)
    const teller = setTimeout(() => {
      this.stdout.follow()
      this.stderr.follow()
      watcher.onBegun({ pid, startedAt, age: performance.now() - since })
    }, start.tellAfter)
    child.once("exit", (exitCode, signal) => {
      clearInterval(sampler)
      clearTimeout(teller)
      this.setCurrent(undefined)
      const ends = [this.stdout.drain(), this.stderr.drain()]
      watcher.onEnd({
        _tag: "Ended",
        pid,
        exitCode: exitCode ?? undefined,
        signal: signal ?? undefined,
        peakMemory,
        startedAt,
        duration: performance.now() - since,
        hasLeftovers: isGroupThere(pid),
        isHeld: ends.includes("held"),
        // Nobody has looked.
        isDirty: true
      })
    })
  }

  /** Nothing ever waits here. */
  withdraw(answer: (count: number) => void): void {
    queueMicrotask(() => answer(0))
  }

  release(answer: (isHeld: boolean) => void): void {
    const isHeld = [this.stdout.drain(), this.stderr.drain()].includes("held")
    if (isHeld) {
      // What lives on may go on writing into the old ones.
      this.close(false)
      this.stdout = this.makePipe("stdout")
      this.stderr = this.makePipe("stderr")
    } else {
      this.stdout.rest()
      this.stderr.rest()
    }
    answer(isHeld)
  }

  watch(): void {}

  limit(): void {}

  close(isLast = true): void {
    for (const pipe of [this.stdout, this.stderr]) {
      pipe.close()
      rmSync(pipe.path, { force: true })
    }
    if (isLast) closeSync(this.currentFile)
  }

  private makePipe(stream: OutputStream): NamedPipe {
    const path = this.scratch.file(`${stream}-${this.generation++}`)
    return new NamedPipe(path, (bytes) => this.watcher?.onOutput(stream, bytes))
  }

  private setCurrent(pid: number | undefined): void {
    this.pid = pid
    writeSync(this.currentFile, `${String(pid ?? 0).padEnd(10)}\n`, 0)
  }
}

const codeOf = (error: unknown): string =>
  Predicate.hasProperty(error, "code") && Predicate.isString(error.code) ? error.code : String(error)

const isGroupThere = (group: number): boolean => {
  try {
    return process.kill(-group, 0)
  } catch (error) {
    return codeOf(error) !== "ESRCH"
  }
}

/** Largest resident memory of a process so far, in bytes. */
const peakMemoryOf = (pid: number): number | undefined => {
  try {
    const kibibytes = /^VmHWM:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]
    return kibibytes === undefined ? undefined : Number(kibibytes) * 1024
  } catch {
    return undefined
  }
}
