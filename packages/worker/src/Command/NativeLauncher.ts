/**
 * Starts programs through a small process of our own, written in C: `launcher/launcher.c` says what it does and how to
 * speak with it.
 */
import { spawn } from "node:child_process"
import type { ChildProcess } from "node:child_process"
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { constants as systemConstants, tmpdir } from "node:os"
import { dirname, join } from "node:path"
import type { Duplex } from "node:stream"
import { fileURLToPath } from "node:url"
import { getSystemErrorName } from "node:util"
import { Deferred, Effect, Predicate } from "effect"
import type { Begun, Ended, Launcher, Make, Options, Start, Watcher } from "./Launcher.ts"

/** Of the messages between the two. */
const version = "2"

/** Commands that it may have before it has told of the first. More would only wait in another place. */
const capacity = 64

/** The binary for this platform: beside the sources, or beside the bundle. */
const find = (): string | undefined => {
  const name = `${process.platform}-${process.arch}`
  // A bundle is split into files in several directories below the one that holds the binaries.
  for (let directory = dirname(fileURLToPath(import.meta.url)); ; directory = dirname(directory)) {
    const binary = join(directory, "launcher", name)
    if (existsSync(binary)) return binary
    if (directory === dirname(directory)) return undefined
  }
}

/** Makes launchers of this binary. */
export const makeFrom =
  (binary: string | undefined): Make =>
  (options) =>
    binary === undefined
      ? Effect.succeed(`there is no launcher for ${process.platform}-${process.arch}`)
      : Effect.acquireRelease(begin(binary, options), (launcher) =>
          Effect.sync(() => Predicate.isString(launcher) || launcher.kill())
        )

export const make: Make = (options) => Effect.suspend(() => makeFrom(find())(options))

/** How long a program that does nothing may take. */
const probePatience = "5 seconds"

/** Starts one program that does nothing, and tells why that did not work; nothing if it did. */
export const probeOf = (binary: string | undefined): Effect.Effect<string | undefined> =>
  Effect.scoped(
    Effect.gen(function* () {
      const directory = yield* Effect.acquireRelease(
        Effect.sync(() => mkdtempSync(join(tmpdir(), "muster-probe-"))),
        (path) => Effect.sync(() => rmSync(path, { recursive: true, force: true }))
      )
      const currentFile = join(directory, "current")
      writeFileSync(currentFile, `${"0".padEnd(10)}\n`)
      const broken = yield* Deferred.make<string>()
      const launcher = yield* makeFrom(binary)({
        scratch: { currentFile, file: (name) => join(directory, name) },
        onBroken: (message) => Deferred.doneUnsafe(broken, Effect.succeed(message))
      })
      if (Predicate.isString(launcher)) return launcher
      const program = Effect.callback<string | undefined>((resume) => {
        launcher.launch(nothing(directory), {
          onBegun: () => {},
          onOutput: () => {},
          onEnd: (end) => {
            if (end._tag === "Refused") resume(Effect.succeed(`it could not start a program (${end.code})`))
            else
              resume(
                Effect.succeed(end.exitCode === 0 ? undefined : `a program ended with ${end.exitCode ?? end.signal}`)
              )
          }
        })
      })
      return yield* Effect.raceFirst(program, Deferred.await(broken))
    })
  ).pipe(
    Effect.timeoutOrElse({
      duration: probePatience,
      orElse: () => Effect.succeed(`a program that does nothing did not end within ${probePatience}`)
    })
  )

/** As `probeOf`, of the binary for this platform. */
export const probe: Effect.Effect<string | undefined> = Effect.suspend(() => probeOf(find()))

/** This program, asked for nothing but its version: there is no other that is surely there. */
const nothing = (cwd: string): Start => ({
  program: process.execPath,
  name: "node",
  args: ["--version"],
  cwd,
  sharedEnv: {},
  env: {},
  stdin: undefined,
  tellAfter: 60_000
})

const begin = (binary: string, options: Options) =>
  Effect.callback<NativeLauncher | string>((resume) => {
    const { currentFile } = options.scratch
    const child = spawn(binary, [version, String(process.pid), currentFile], {
      // Its own session: signals for the worker's group are not for it.
      detached: true,
      env: {},
      cwd: "/",
      stdio: ["ignore", "inherit", "inherit", "pipe"]
    })
    const channel = child.stdio[3] as Duplex // asked for with "pipe" above
    let launcher: NativeLauncher | undefined
    const gone = (message: string) => {
      if (launcher === undefined) return resume(Effect.succeed(`${binary} ${message}`))
      options.onBroken(`the process ${child.pid} that starts programs ${message}`)
    }
    child.on("error", (error) => gone(`could not be reached: ${error.message}`))
    child.on("exit", (code, signal) => gone(`ended (${signal ?? `exit code ${code}`})`))
    // Says nothing that the end of the process does not say.
    channel.on("error", () => {})
    channel.once("data", () => {
      const ready = new NativeLauncher(child, channel, currentFile)
      launcher = ready
      channel.on("data", (chunk: Buffer) => ready.received(chunk))
      resume(Effect.succeed(ready))
    })
  })

const signalNames = new Map<number, string>(
  Object.entries(systemConstants.signals).map(([name, number]) => [number, name])
)

/** Bytes before the body of a message: the length of what follows, and its kind. */
const lengthSize = 4
const headerSize = lengthSize + 1

const message = (kind: string, body: string | Buffer = "", id?: number): Buffer => {
  const idSize = id === undefined ? 0 : 4
  const size = Buffer.byteLength(body) + idSize
  const bytes = Buffer.allocUnsafe(headerSize + size)
  bytes.writeUInt32LE(size + 1, 0)
  bytes.write(kind, lengthSize, "latin1")
  if (id !== undefined) bytes.writeUInt32LE(id, headerSize)
  if (typeof body === "string") bytes.write(body, headerSize + idSize)
  else body.copy(bytes, headerSize + idSize)
  return bytes
}

/** The fields of a command. None of the texts can contain the NUL that ends them. */
const fieldsOf = (start: Start): string => {
  let text = `0${start.name}\0p${start.program}\0d${start.cwd}\0t${Math.ceil(start.tellAfter)}\0`
  if (start.stdin !== undefined) text += `<${start.stdin}\0`
  for (const arg of start.args) text += `a${arg}\0`
  for (const name of Object.keys(start.env)) text += `e${name}=${start.env[name]}\0`
  return text
}

/** The process, and what is on its way to and from it. */
class NativeLauncher implements Launcher {
  readonly kind = "native"
  readonly helper: number
  readonly capacity = capacity
  private readonly child: ChildProcess
  private readonly channel: Duplex
  private readonly currentFile: string
  private readonly outbox: Array<Buffer> = []
  private sharedEnv: Start["sharedEnv"] | undefined
  /** Of the commands that it has, in order. */
  private watchers: Array<Watcher> = []
  /** The command that ended uncleanly and was not let go; its output may still come. */
  private unclean: Watcher | undefined
  private ids = 0
  /** The beginning of a message whose end has not come. */
  private rest: Buffer | undefined
  private readonly withdrawals: Array<(count: number) => void> = []
  private onReleased: ((isHeld: boolean) => void) | undefined

  constructor(child: ChildProcess, channel: Duplex, currentFile: string) {
    this.child = child
    this.helper = child.pid ?? 0
    this.channel = channel
    this.currentFile = currentFile
  }

  launch(start: Start, watcher: Watcher): void {
    if (start.sharedEnv !== this.sharedEnv) {
      this.sharedEnv = start.sharedEnv
      const assignments = Object.entries(start.sharedEnv).map(([name, value]) => `${name}=${value}\0`)
      this.send(message("E", assignments.join("")))
    }
    this.watchers.push(watcher)
    this.ids = (this.ids + 1) >>> 0
    this.send(message("R", fieldsOf(start), this.ids))
  }

  withdraw(answer: (count: number) => void): void {
    this.withdrawals.push(answer)
    this.send(message("W"))
  }

  release(answer: (isHeld: boolean) => void): void {
    this.onReleased = answer
    this.send(message("L"))
  }

  watch(directories: ReadonlyArray<string>): void {
    this.send(message("D", directories.map((path) => `${path}\0`).join("")))
  }

  limit(kill: number | undefined): void {
    const body = Buffer.allocUnsafe(8)
    body.writeDoubleLE(kill ?? 0)
    this.send(message("T", body))
  }

  current(): number | undefined {
    const current = Number.parseInt(readFileSync(this.currentFile, "latin1"), 10)
    return current > 0 ? current : undefined
  }

  kill(): void {
    this.child.removeAllListeners("exit")
    this.child.kill("SIGKILL")
  }

  /** What is sent within one turn goes together. */
  private send(bytes: Buffer): void {
    if (this.outbox.push(bytes) > 1) return
    queueMicrotask(() => {
      this.channel.write(this.outbox.length === 1 ? this.outbox[0] : Buffer.concat(this.outbox))
      this.outbox.length = 0
    })
  }

  received(chunk: Buffer): void {
    const bytes = this.rest === undefined ? chunk : Buffer.concat([this.rest, chunk])
    let place = 0
    while (bytes.length - place >= headerSize) {
      const end = place + lengthSize + bytes.readUInt32LE(place)
      if (end > bytes.length) break
      this.handle(
        bytes.toString("latin1", place + lengthSize, place + headerSize),
        bytes.subarray(place + headerSize, end)
      )
      place = end
    }
    this.rest = place < bytes.length ? bytes.subarray(place) : undefined
  }

  private handle(kind: string, body: Buffer): void {
    const [watcher] = this.watchers
    switch (kind) {
      case "s":
        return watcher?.onBegun(begunOf(body))
      case "o":
        return (watcher ?? this.unclean)?.onOutput("stdout", body)
      case "e":
        return (watcher ?? this.unclean)?.onOutput("stderr", body)
      case "x": {
        const end = endedOf(body)
        return this.ended(end.hasLeftovers || end.isHeld || end.isDirty, (ended) => ended.onEnd(end))
      }
      case "f": {
        const code = getSystemErrorName(-body.readUInt32LE(4))
        return this.ended(true, (refused) => refused.onEnd({ _tag: "Refused", code }))
      }
      case "w": {
        const count = body.length / 4
        this.watchers.length -= count
        return this.withdrawals.shift()?.(count)
      }
      case "l": {
        const answer = this.onReleased
        this.onReleased = undefined
        this.unclean = undefined
        return answer?.(body[0] !== 0)
      }
      default:
        throw new Error(`a message of the unknown kind ${JSON.stringify(kind)} came from the launcher`)
    }
  }

  private ended(isUnclean: boolean, tell: (watcher: Watcher) => void): void {
    const watcher = this.watchers.shift()
    if (watcher === undefined) throw new Error("the launcher tells of the end of a command that it does not have")
    if (isUnclean) {
      this.unclean = watcher
      this.watchers = []
    }
    tell(watcher)
  }
}

// As `struct started` and `struct ended` have it.

const begunOf = (body: Buffer): Begun => ({
  pid: body.readUInt32LE(4),
  startedAt: Math.floor(body.readDoubleLE(8)),
  age: body.readDoubleLE(16)
})

const flags = { leftovers: 1, held: 2, dirty: 4 }

const endedOf = (body: Buffer): Ended => {
  const status = body.readUInt32LE(8)
  const signal = status & 0x7f
  const memory = body.readUInt32LE(12)
  const unclean = body.readUInt8(32)
  return {
    _tag: "Ended",
    pid: body.readUInt32LE(4),
    exitCode: signal === 0 ? status >> 8 : undefined,
    signal: signal === 0 ? undefined : (signalNames.get(signal) ?? `SIG${signal}`),
    peakMemory: memory === 0 ? undefined : memory * 1024,
    startedAt: Math.floor(body.readDoubleLE(16)),
    duration: body.readDoubleLE(24),
    hasLeftovers: (unclean & flags.leftovers) !== 0,
    isHeld: (unclean & flags.held) !== 0,
    isDirty: (unclean & flags.dirty) !== 0
  }
}
