/**
 * Reads the output that tasks wrote on this machine, also of tasks that still run.
 *
 * Workers make the file of a stream when the first byte comes, so a silent task has none. The manager makes the directory
 * of a suite itself (`keep`): while that is there, a file that is not there means silence; when that is gone, the logs are.
 */
import { Effect } from "effect"
import * as FileSystem from "node:fs/promises"
import * as Path from "node:path"
import * as LogFile from "@muster/domain/LogFile"
import type { OutputStream } from "@muster/domain/Manager/Directive"
import type { LogChunk } from "@muster/domain/Rpc/ManagerRpcs"
import type { SuiteId } from "@muster/domain/Suite/Id"
import { attempt } from "./Directory.ts"

export interface Request {
  readonly suiteId: SuiteId
  readonly index: number
  readonly attempt: number
  readonly stream: OutputStream
  readonly offset: number
  readonly limit: number
}

/** Most bytes of one answer. Whoever wants more asks again. */
const maxChunk = 1024 * 1024

const nothing = new Uint8Array(0)

/** Marks the logs of a suite as in use, and makes their directory. */
export const keep = Effect.fnUntraced(function* (logs: string, suiteId: SuiteId) {
  const path = Path.join(logs, suiteId)
  yield* attempt(path, async () => {
    await FileSystem.mkdir(path, { recursive: true, mode: 0o700 })
    const now = new Date()
    await FileSystem.utimes(path, now, now)
  })
})

/** `isRunning` is asked before the file is read: what an attempt wrote before its end is then in what was read. */
export const read = Effect.fn("LogReader.read")(function* (logs: string, request: Request, isRunning: () => boolean) {
  const ended = !isRunning()
  const path = Path.join(logs, LogFile.path(request.suiteId, request.index, request.attempt, request.stream))
  const part = yield* attempt(path, () => readPart(path, request.offset, request.limit))
  if (part !== undefined) return { ...part, ended, missing: false } satisfies LogChunk
  const missing = ended && !(yield* attempt(logs, () => isDirectory(Path.join(logs, request.suiteId))))
  return { data: nothing, size: 0, ended, missing } satisfies LogChunk
})

const isAbsent = (error: unknown) => error instanceof Error && "code" in error && error.code === "ENOENT"

const readPart = async (path: string, offset: number, limit: number) => {
  try {
    await using file = await FileSystem.open(path, "r")
    const { size } = await file.stat()
    const wanted = Math.max(0, Math.min(limit, maxChunk, size - offset))
    const data = new Uint8Array(wanted)
    let filled = 0
    while (filled < wanted) {
      const { bytesRead } = await file.read(data, filled, wanted - filled, Math.max(0, offset) + filled)
      if (bytesRead === 0) break
      filled += bytesRead
    }
    return { data: data.subarray(0, filled), size }
  } catch (error) {
    if (isAbsent(error)) return undefined
    throw error
  }
}

const isDirectory = (path: string) =>
  FileSystem.stat(path).then(
    (stats) => stats.isDirectory(),
    (error: unknown) => {
      if (isAbsent(error)) return false
      throw error
    }
  )
