/**
 * Starts programs through a small Python process: `posix_spawn` does not copy the page tables of anything, tells exactly
 * why a program could not be started, and `wait4` tells how much memory it used.
 */
import { spawn } from "node:child_process"
import type { ChildProcess } from "node:child_process"
import { accessSync, constants, readFileSync } from "node:fs"
import type { Duplex } from "node:stream"
import { constants as systemConstants } from "node:os"
import { getSystemErrorName } from "node:util"
import { Effect } from "effect"
import type { End, Launcher, Make, Options, Start } from "./Launcher.ts"
import { script } from "./pythonScript.ts"

/** Where systems keep their own Python. PATH is not asked: what it finds first may be a slow wrapper around one. */
const interpreters = [
  "/usr/bin/python3",
  "/usr/libexec/platform-python",
  "/usr/local/bin/python3",
  "/opt/homebrew/bin/python3"
]

/** Isolated and without site packages: it starts in 15 ms and nothing of a user's gets in. */
const flags = ["-I", "-S"]

const exists = (file: string): boolean => {
  try {
    accessSync(file, constants.X_OK)
    return true
  } catch {
    return false
  }
}

const signalNames = new Map<number, string>(
  Object.entries(systemConstants.signals).map(([name, number]) => [number, name])
)

/** Bytes that every request begins with: the length of the rest. */
const headerLength = 4

/** A request: its length, then the fields, each ended by a NUL, which no field can contain. */
export const encode = (fields: ReadonlyArray<string>): Buffer => {
  const body = `${fields.join("\0")}\0`
  const length = Buffer.byteLength(body)
  const request = Buffer.allocUnsafe(headerLength + length)
  request.writeUInt32BE(length)
  request.write(body, headerLength)
  return request
}

const assignments = (env: Readonly<Record<string, string>>): Array<string> =>
  Object.entries(env).map(([name, value]) => `${name}=${value}`)

const encodeStart = (start: Start): Buffer => {
  const env = assignments(start.env)
  const { cwd, stdin = "", stderr, stdout } = start
  return encode([cwd, stdin, stdout, stderr, String(env.length), ...env, start.program, start.name, ...start.args])
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

/** The kernel counts memory per processor and sums it up late: figures this close are the same. */
const slack = 512 * 1024

export const make: Make = Effect.fnUntraced(function* (options) {
  for (const interpreter of interpreters) {
    if (!exists(interpreter)) continue
    const launcher = yield* tryInterpreter(interpreter, options)
    if (launcher !== undefined) return launcher
  }
  return undefined
})

const tryInterpreter = (interpreter: string, options: Options) =>
  Effect.acquireRelease(
    Effect.callback<Helper | undefined>((resume) => {
      const { currentFile } = options.scratch
      const child = spawn(interpreter, [...flags, options.scratch.write("launcher.py", script), currentFile], {
        // Its own session: signals for the worker's group are not for it.
        detached: true,
        env: {},
        cwd: "/",
        stdio: ["ignore", "inherit", "inherit", "pipe"]
      })
      const channel = child.stdio[3] as Duplex // asked for with "pipe" above
      const helper = new Helper(child, channel, currentFile)
      const gone = (message: string) => {
        if (!helper.isReady) return resume(Effect.succeed(undefined))
        options.onBroken(`the process ${child.pid} that starts programs ${message}`)
      }
      child.on("error", (error) => gone(`could not be reached: ${error.message}`))
      child.on("exit", (code, signal) => gone(`ended (${signal ?? `exit code ${code}`})`))
      // Says nothing that the end of the process does not say.
      channel.on("error", () => {})
      channel.once("data", () => {
        helper.isReady = true
        channel.on("data", (chunk: string) => helper.received(chunk))
        resume(Effect.succeed(helper))
      })
      channel.setEncoding("latin1")
      channel.write(encode(assignments(options.env)))
    }),
    (helper) => Effect.sync(() => helper?.kill())
  )

/** The Python process and what is on its way to and from it. */
class Helper implements Launcher {
  readonly kind = "python"
  readonly helper: number
  /** It has said that it works. */
  isReady = false
  private readonly child: ChildProcess
  private readonly channel: Duplex
  private readonly currentFile: string
  private onEnd: ((end: End) => void) | undefined
  private text = ""
  /**
   * Until it becomes another program, a new process counts the memory of the launcher as its own. What is not above
   * that says nothing about the program.
   */
  private floor = 0

  constructor(child: ChildProcess, channel: Duplex, currentFile: string) {
    this.child = child
    this.helper = child.pid ?? 0
    this.channel = channel
    this.currentFile = currentFile
  }

  launch(start: Start, onEnd: (end: End) => void): void {
    this.onEnd = onEnd
    this.channel.write(encodeStart(start))
  }

  current(): number | undefined {
    const current = Number.parseInt(readFileSync(this.currentFile, "latin1"), 10)
    return current > 0 ? current : undefined
  }

  kill(): void {
    this.child.removeAllListeners("exit")
    this.child.kill("SIGKILL")
  }

  received(chunk: string): void {
    this.text += chunk
    for (let end = this.text.indexOf("\n"); end >= 0; end = this.text.indexOf("\n")) {
      const line = this.text.slice(0, end)
      this.text = this.text.slice(end + 1)
      const onEnd = this.onEnd
      this.onEnd = undefined
      onEnd?.(this.parse(line))
    }
  }

  private parse(line: string): End {
    const [kind, ...values] = line.split(" ")
    const [first = 0, status = 0, kibibytes = 0, leftovers = 0] = values.map(Number)
    if (kind === "refused") return { _tag: "Refused", code: getSystemErrorName(-first) }
    const signal = status & 0x7f
    return {
      _tag: "Ended",
      pid: first,
      exitCode: signal === 0 ? status >> 8 : undefined,
      signal: signal === 0 ? undefined : (signalNames.get(signal) ?? `SIG${signal}`),
      peakMemory: this.isTelling(kibibytes * 1024) ? kibibytes * 1024 : undefined,
      hasLeftovers: leftovers !== 0
    }
  }

  private isTelling(bytes: number): boolean {
    if (bytes > this.floor) this.floor = (peakMemoryOf(this.helper) ?? bytes) + slack
    return bytes > this.floor
  }
}
