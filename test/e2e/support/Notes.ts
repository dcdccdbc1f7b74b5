/**
 * Tasks that write down themselves what they did, so that the checks of a test do not have to trust our own log.
 */
import { mkdirSync, readFileSync, readdirSync } from "node:fs"
import { join } from "node:path"
import { assert } from "@effect/vitest"
import { Effect, Stream } from "effect"
import type { MusterClient } from "@muster/client/MusterClient"
import type { SuiteId } from "@muster/domain/Suite/Id"
import * as Process from "./Process.ts"

type Client = MusterClient["Service"]

/** A task that notes in the file `<index>` each time that it runs, and takes a moment. */
export const noting = (directory: string, index: number, seconds = 0.02) => ({
  program: "/bin/sh",
  args: ["-c", `echo "$$" >> ${directory}/${index}; sleep ${seconds}`]
})

/** How often each task ran, by its own account. */
export const runs = (directory: string): Map<number, number> =>
  new Map(
    readdirSync(directory).map((name) => [
      Number(name),
      readFileSync(join(directory, name), "utf8").trim().split("\n").length
    ])
  )

export const settled = (client: Client, suiteId: SuiteId) =>
  Effect.map(client.getSuite(suiteId), ({ tasks }) => tasks.succeeded + tasks.failed + tasks.cancelled)

/** Number of final outcomes by task, from the log itself. */
export const outcomes = (client: Client, suiteId: SuiteId) =>
  client.listEvents({ stream: `suite-${suiteId}` }).pipe(
    Stream.runFold(
      () => new Map<number, number>(),
      (found, { data, type }) => {
        if (type !== "AttemptsEnded") return found
        const { attempts } = data as { attempts: ReadonlyArray<{ index: number; next: string }> } // as the schema says
        for (const { index, next } of attempts) {
          if (next !== "retry") found.set(index, (found.get(index) ?? 0) + 1)
        }
        return found
      }
    )
  )

export const assertEachOnce = (counts: ReadonlyMap<number, number>, total: number) => {
  assert.strictEqual(counts.size, total)
  assert.deepStrictEqual(
    [...counts].filter(([, count]) => count !== 1),
    []
  )
}

export const workspace = Effect.map(Process.directory("notes"), (directory) => {
  const notes = join(directory, "notes")
  mkdirSync(notes)
  return notes
})
