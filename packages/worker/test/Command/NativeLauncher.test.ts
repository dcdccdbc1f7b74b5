/**
 * The program that starts commands, by itself: what it is, and what it does with what it does not understand.
 */
import { spawn, spawnSync } from "node:child_process"
import { copyFileSync, chmodSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import type { Duplex } from "node:stream"
import { fileURLToPath } from "node:url"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Logger } from "effect"
import * as NativeLauncher from "../../src/Command/NativeLauncher.ts"
import * as NodeLauncher from "../../src/Command/NodeLauncher.ts"
import * as CommandRunner from "../support/CommandRunner.ts"

const home = fileURLToPath(new URL("../../launcher/", import.meta.url))
const buildScript = fileURLToPath(new URL("../../../../scripts/build-launcher.ts", import.meta.url))
const platforms = ["linux-x64", "linux-arm64"]
const binary = join(home, `${process.platform}-${process.arch}`)

const temporaryDirectory = Effect.acquireRelease(
  Effect.sync(() => mkdtempSync(join(tmpdir(), "muster-launcher-"))),
  (path) => Effect.sync(() => rmSync(path, { recursive: true, force: true }))
)

const frame = (kind: string, body: string | Buffer = ""): Buffer => {
  const bytes = Buffer.from(body)
  const header = Buffer.alloc(5)
  header.writeUInt32LE(bytes.length + 1)
  header.write(kind, 4, "latin1")
  return Buffer.concat([header, bytes])
}

/** Sends bytes to a launcher of its own and answers with how that ended. */
const send = (bytes: Buffer, { parent = process.pid, version = "2" } = {}) =>
  Effect.gen(function* () {
    const current = join(yield* temporaryDirectory, "current")
    writeFileSync(current, "0")
    return yield* Effect.callback<{ readonly exitCode: number | null; readonly message: string }>((resume) => {
      const child = spawn(binary, [version, String(parent), current], { stdio: ["ignore", "ignore", "pipe", "pipe"] })
      let message = ""
      child.stderr?.on("data", (text: Buffer) => {
        message += text.toString()
      })
      child.once("close", (exitCode) => resume(Effect.succeed({ exitCode, message })))
      const channel = child.stdio[3] as Duplex // asked for with "pipe" above
      channel.on("error", () => {}).resume()
      channel.write(bytes)
      return Effect.sync(() => child.kill("SIGKILL"))
    })
  })

describe("the native launcher", () => {
  it.live("is found to work, or why it does not", () =>
    Effect.gen(function* () {
      assert.isUndefined(yield* NativeLauncher.probe)
      const broken = join(yield* temporaryDirectory, "launcher")
      writeFileSync(broken, "#!/bin/sh\nexit 3\n", { mode: 0o755 })
      assert.include((yield* NativeLauncher.probeOf(broken)) ?? "", "ended (exit code 3)")
      chmodSync(broken, 0o644)
      assert.include((yield* NativeLauncher.probeOf(broken)) ?? "", "EACCES")
      assert.include((yield* NativeLauncher.probeOf(undefined)) ?? "", "there is no launcher for")
    })
  )

  it.live("does not guess what it was not told: it ends, and says why", () =>
    Effect.gen(function* () {
      const id = "\u0001\0\0\0"
      const cases = [
        [frame("?"), "a message is of no known kind"],
        [frame("R"), "a command is malformed"],
        [frame("R", `${id}p/bin/true`), "a command is malformed"],
        [frame("R", `${id}p/bin/true\0`), "a command is incomplete"],
        [frame("R", `${id}p/bin/true\0d/\x000true\0?\0`), "a command has an unknown field"],
        [frame("E", "A=1"), "the environment is malformed"],
        [frame("D", "/no/such/directory\0"), "a directory is not there"],
        [frame("L"), "there is nothing to let go of"],
        [frame("T", "soon"), "a time is malformed"],
        [Buffer.alloc(4), "a message has an impossible length"],
        [Buffer.alloc(4, 0xff), "a message has an impossible length"]
      ] as const
      for (const [bytes, why] of cases) {
        assert.deepStrictEqual(yield* send(bytes), { exitCode: 70, message: `muster-launcher: ${why}\n` })
      }
      const other = yield* send(Buffer.alloc(0), { version: "0" })
      assert.deepStrictEqual(other, { exitCode: 70, message: "muster-launcher: the worker is of another version\n" })
    })
  )

  it.live("does not begin when its worker is already gone", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(yield* send(Buffer.alloc(0), { parent: 1 }), { exitCode: 0, message: "" })
    })
  )

  it("is small, needs nothing else, and may be executed", () => {
    for (const platform of platforms) {
      const file = join(home, platform)
      const { mode, size } = statSync(file)
      assert.strictEqual(mode & 0o111, 0o111)
      assert.isBelow(size, 32 * 1024)
      const bytes = readFileSync(file)
      assert.strictEqual(bytes.toString("latin1", 1, 4), "ELF")
      assert.strictEqual(bytes.readUInt16LE(18), platform === "linux-x64" ? 62 : 183)
      assert.isFalse(bytes.includes("/lib/ld-"), "it is static")
    }
  })

  it.live("is what its source makes, byte by byte", (context) =>
    Effect.gen(function* () {
      const directory = yield* temporaryDirectory
      const { status, stderr, stdout } = spawnSync(process.execPath, [buildScript, directory], { encoding: "utf8" })
      assert.strictEqual(status, 0, stderr)
      const lines = stdout.trim().split("\n")
      const built = platforms.filter((platform) => lines.includes(`${platform} built`))
      for (const platform of built) {
        assert.isTrue(
          readFileSync(join(directory, platform)).equals(readFileSync(join(home, platform))),
          `${platform} is not what launcher.c makes: run scripts/build-launcher.ts and commit what it makes`
        )
      }
      const skipped = lines.filter((line) => line.includes("skipped"))
      for (const line of skipped) yield* Effect.log(line)
      if (built.length === 0) context.skip(skipped.join("; "))
    })
  )
})

describe("where the native launcher does not work", () => {
  const startWith = (makeLauncher: ReturnType<typeof NativeLauncher.makeFrom>) =>
    Effect.gen(function* () {
      const lines: Array<string> = []
      const logger = Logger.make(({ message }) => void lines.push(String(message)))
      const { executor, run } = yield* CommandRunner.make(makeLauncher, NodeLauncher.make).pipe(
        Effect.provide(Logger.layer([logger]))
      )
      const result = yield* run({ program: "echo", args: ["here"] })
      assert.deepStrictEqual([executor.launcher, result.stdout], ["node", "here\n"])
      return lines
    })

  it.live("commands are started by Node, and one line says so", () =>
    Effect.gen(function* () {
      const directory = yield* temporaryDirectory
      const forbidden = join(directory, "forbidden")
      copyFileSync(binary, forbidden)
      chmodSync(forbidden, 0o644)
      const cases = [
        [forbidden, /slower way: .*forbidden could not be reached: .*EACCES/],
        ["/bin/false", /slower way: \/bin\/false ended \(exit code 1\)/],
        [undefined, /slower way: there is no launcher for/]
      ] as const
      for (const [path, expected] of cases) {
        const lines = yield* startWith(NativeLauncher.makeFrom(path))
        assert.strictEqual(lines.length, 1)
        assert.match(lines[0] ?? "", expected)
      }
    })
  )
})
