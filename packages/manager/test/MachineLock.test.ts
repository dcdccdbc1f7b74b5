import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Exit, Scope } from "effect"
import { spawn } from "node:child_process"
import * as FileSystem from "node:fs/promises"
import * as Path from "node:path"
import * as MachineLock from "@muster/manager/MachineLock"
import { range } from "./support/Fixtures.ts"
import { temporaryDirectory } from "./support/ManagerProcess.ts"

const read = (path: string) => Effect.promise(() => FileSystem.readFile(path, "utf8"))
const write = (directory: string, number: number, text: string) =>
  Effect.promise(() => FileSystem.writeFile(Path.join(directory, `lock.${number}`), text))

const boot = Effect.map(read("/proc/sys/kernel/random/boot_id"), (text) => text.trim())
const startTime = (pid: number) =>
  Effect.map(read(`/proc/${pid}/stat`), (stat) => stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19] ?? "")

/** A process that does nothing until the scope is closed. */
const sleeper = Effect.gen(function* () {
  const ended = yield* Deferred.make<void>()
  const child = yield* Effect.acquireRelease(
    Effect.sync(() => spawn("sleep", ["60"], { stdio: "ignore" })),
    (process) => {
      process.kill("SIGKILL")
      return Deferred.await(ended)
    }
  )
  child.once("exit", () => Deferred.doneUnsafe(ended, Effect.void))
  return { pid: child.pid ?? 0, kill: Effect.suspend(() => (child.kill("SIGKILL"), Deferred.await(ended))) }
})

const isHeldBy = (exit: Exit.Exit<void, unknown>) =>
  Exit.isFailure(exit)
    ? Effect.match(Effect.failCause(exit.cause), {
        onFailure: (error) => (error instanceof MachineLock.DirectoryInUse ? error.pid : undefined),
        onSuccess: () => undefined
      })
    : Effect.succeed(undefined)

describe("the lock on a manager's directory", () => {
  it.effect("keeps a second one out, and names the process that has it", () =>
    Effect.gen(function* () {
      const directory = yield* temporaryDirectory
      yield* MachineLock.acquire(directory)
      const error = yield* Effect.flip(Effect.scoped(MachineLock.acquire(directory)))
      assert.instanceOf(error, MachineLock.DirectoryInUse)
      assert.include(error.message, `in use by the manager with process id ${process.pid}`)
      assert.include(error.message, directory)
    })
  )

  it.effect("is free again when its scope is closed", () =>
    Effect.gen(function* () {
      const directory = yield* temporaryDirectory
      for (const _ of range(3)) yield* Effect.scoped(MachineLock.acquire(directory))
      assert.deepStrictEqual(yield* Effect.promise(() => FileSystem.readdir(directory)), ["lock.3"])
    })
  )

  it.effect("is taken over from a process that is dead", () =>
    Effect.gen(function* () {
      const directory = yield* temporaryDirectory
      const holder = yield* sleeper
      yield* write(directory, 4, `${holder.pid} ${yield* startTime(holder.pid)} ${yield* boot}\n`)
      const before = yield* Effect.exit(Effect.scoped(MachineLock.acquire(directory)))
      assert.strictEqual(yield* isHeldBy(before), holder.pid)
      yield* holder.kill
      yield* MachineLock.acquire(directory)
      assert.deepStrictEqual(yield* Effect.promise(() => FileSystem.readdir(directory)), ["lock.5"])
    })
  )

  it.effect("is not kept by a process that has the number of a dead holder", () =>
    Effect.gen(function* () {
      const directory = yield* temporaryDirectory
      const stranger = yield* sleeper
      const earlier = Number(yield* startTime(stranger.pid)) - 1
      yield* write(directory, 1, `${stranger.pid} ${earlier} ${yield* boot}\n`)
      yield* MachineLock.acquire(directory)
    })
  )

  it.effect("is not kept by a process of before the last start of the machine", () =>
    Effect.gen(function* () {
      const directory = yield* temporaryDirectory
      const stranger = yield* sleeper
      yield* write(directory, 1, `${stranger.pid} ${yield* startTime(stranger.pid)} another-boot\n`)
      yield* MachineLock.acquire(directory)
    })
  )

  it.effect("is had by exactly one of many that come at once, also when a dead one's is there", () =>
    Effect.gen(function* () {
      const directory = yield* temporaryDirectory
      yield* write(directory, 9, "999999999 1 -\n")
      const exits = yield* Effect.forEach(
        range(20),
        () =>
          Effect.gen(function* () {
            const scope = yield* Scope.make()
            return yield* Effect.exit(Scope.provide(MachineLock.acquire(directory), scope))
          }),
        { concurrency: 20 }
      )
      assert.strictEqual(exits.filter(Exit.isSuccess).length, 1)
    })
  )
})
