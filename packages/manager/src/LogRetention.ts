/**
 * Removes the logs of suites that nothing ran of for a long time.
 */
import { Effect } from "effect"
import * as FileSystem from "node:fs/promises"
import * as Path from "node:path"
import { attempt } from "./Directory.ts"

/** The logs of one suite. */
export interface SuiteLogs {
  readonly suiteId: string
  /** When something last ran of it. Milliseconds since 1970. */
  readonly usedAt: number
}

/** Those that go. What is in use stays, whatever a clock that was set says. */
export const expired = (
  all: ReadonlyArray<SuiteLogs>,
  inUse: string | null,
  now: number,
  retention: number
): ReadonlyArray<SuiteLogs> => all.filter(({ suiteId, usedAt }) => suiteId !== inUse && now - usedAt > retention)

const list = (logs: string) =>
  attempt(logs, async () => {
    const entries = await FileSystem.readdir(logs, { withFileTypes: true })
    const all: Array<SuiteLogs> = []
    for (const entry of entries) {
      if (!entry.isDirectory()) continue
      const { mtimeMs } = await FileSystem.stat(Path.join(logs, entry.name))
      all.push({ suiteId: entry.name, usedAt: mtimeMs })
    }
    return all
  })

/** One round; answers how many suites' logs were there and how many of them went. */
export const runOnce = Effect.fn("LogRetention.runOnce")(function* (
  logs: string,
  inUse: string | null,
  now: number,
  retention: number
) {
  const all = yield* list(logs)
  const old = expired(all, inUse, now, retention)
  for (const { suiteId } of old) {
    const path = Path.join(logs, suiteId)
    yield* attempt(path, () => FileSystem.rm(path, { recursive: true, force: true }))
  }
  return { found: all.length, removed: old.length }
})

/** Often enough for the shortest retention, and seldom enough to be nothing. Milliseconds. */
export const interval = (retention: number): number => Math.min(60 * 60 * 1_000, Math.max(1_000, retention / 2))
