/** The locks and notes of real tasks: what the whole check of "no two at once" stands on. */
import { spawn } from "node:child_process"
import { mkdirSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import * as Process from "../../test/e2e/support/Process.ts"
import * as Wait from "../../test/e2e/support/Wait.ts"

const script = fileURLToPath(new URL("../task.sh", import.meta.url))
const task = "0123456789abcdef.0"

const workspace = Effect.map(Process.directory("chaos-test"), (directory) => {
  mkdirSync(join(directory, "locks"))
  return directory
})

const notesOf = (directory: string) => {
  try {
    return readFileSync(join(directory, "notes"), "utf8").trim().split("\n")
  } catch {
    return []
  }
}

const start = (directory: string, attempt: number, kind: string, seconds: number) =>
  Effect.acquireRelease(
    Effect.sync(() =>
      spawn("/bin/sh", [script, kind, String(seconds)], {
        detached: true,
        stdio: "ignore",
        env: {
          PATH: process.env["PATH"],
          CHAOS_NOTES: directory,
          CHAOS_MANAGER: "1",
          MUSTER_TASK_ID: task,
          MUSTER_ATTEMPT: String(attempt)
        }
      })
    ),
    ({ pid }) =>
      Effect.sync(() => {
        try {
          if (pid !== undefined) process.kill(-pid, "SIGKILL")
        } catch {
          // It has ended.
        }
      })
  )

const isThere = (group: number): boolean => {
  try {
    return process.kill(group, 0)
  } catch {
    return false
  }
}

const wait = (directory: string, what: string) =>
  Wait.until(
    `the notes have "${what}"`,
    Effect.sync(() => notesOf(directory)),
    (lines) => lines.some((line) => line.startsWith(what)),
    5_000
  )

describe("a command of the load", () => {
  it.live("notes that another attempt of its task is alive", () =>
    Effect.gen(function* () {
      const directory = yield* workspace
      yield* start(directory, 1, "sleep", 30)
      yield* wait(directory, `start ${task} 1 `)
      yield* start(directory, 2, "sleep", 0)
      yield* wait(directory, `overlap ${task} 2 `)
      yield* wait(directory, `end ${task} 2 `)
    })
  )

  it.live("is alone again as soon as the one before it was killed with all that it forked", () =>
    Effect.gen(function* () {
      const directory = yield* workspace
      const first = yield* start(directory, 1, "fork", 30)
      yield* wait(directory, `start ${task} 1 `)
      const group = -(first.pid ?? 0)
      process.kill(group, "SIGKILL")
      yield* Wait.until(
        "nothing of it is alive",
        Effect.sync(() => isThere(group)),
        (there) => !there,
        5_000
      )
      yield* start(directory, 2, "sleep", 0)
      const lines = yield* wait(directory, `end ${task} 2 `)
      assert.isFalse(lines.some((line) => line.startsWith("overlap")))
    })
  )

  it.live("meets a child that was left behind", () =>
    Effect.gen(function* () {
      const directory = yield* workspace
      yield* start(directory, 1, "fork", 0)
      yield* wait(directory, `end ${task} 1 `)
      yield* start(directory, 2, "sleep", 0)
      yield* wait(directory, `overlap ${task} 2 `)
    })
  )
})
