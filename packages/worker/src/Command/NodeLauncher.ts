/**
 * Starts programs with Node alone: works everywhere, at half the speed (see `Launcher`).
 */
import { spawn } from "node:child_process"
import { closeSync, openSync, readFileSync, writeSync } from "node:fs"
import { Effect, Predicate } from "effect"
import type { End, Launcher, Make, Options, Start } from "./Launcher.ts"

/** Between two looks at how much memory a program uses. What ends sooner is not measured. */
const sampleMillis = 1_000

export const make: Make = (options) =>
  Effect.map(
    Effect.acquireRelease(
      Effect.sync(() => openSync(options.scratch.currentFile, "r+")),
      (descriptor) => Effect.sync(() => closeSync(descriptor))
    ),
    (descriptor) => new NodeLauncher(options, descriptor)
  )

class NodeLauncher implements Launcher {
  readonly kind = "node"
  readonly helper = undefined
  private readonly env: Readonly<Record<string, string>>
  private readonly currentFile: number
  private pid: number | undefined

  constructor(options: Options, currentFile: number) {
    this.env = options.env
    this.currentFile = currentFile
  }

  current(): number | undefined {
    return this.pid
  }

  launch(start: Start, onEnd: (end: End) => void): void {
    const stdout = openSync(start.stdout, "w")
    const stderr = openSync(start.stderr, "w")
    const stdin = start.stdin === undefined ? undefined : openSync(start.stdin, "r")
    let child
    try {
      child = spawn(start.program, start.args, {
        argv0: start.name,
        cwd: start.cwd,
        env: { ...this.env, ...start.env },
        detached: true,
        stdio: [stdin ?? "ignore", stdout, stderr]
      })
    } catch (error) {
      // Some refusals (an argument that is too long) are thrown, others come as an event.
      queueMicrotask(() => onEnd({ _tag: "Refused", code: codeOf(error) }))
      return
    } finally {
      for (const descriptor of [stdout, stderr, stdin]) if (descriptor !== undefined) closeSync(descriptor)
    }
    const { pid } = child
    if (pid === undefined) {
      child.once("error", (error) => onEnd({ _tag: "Refused", code: codeOf(error) }))
      return
    }
    this.setCurrent(pid)
    let peakMemory: number | undefined
    const sampler = setInterval(() => {
      peakMemory = peakMemoryOf(pid) ?? peakMemory
    }, sampleMillis)
    child.once("exit", (exitCode, signal) => {
      clearInterval(sampler)
      this.setCurrent(undefined)
      onEnd({
        _tag: "Ended",
        pid,
        exitCode: exitCode ?? undefined,
        signal: signal ?? undefined,
        peakMemory,
        hasLeftovers: isGroupThere(pid)
      })
    })
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
