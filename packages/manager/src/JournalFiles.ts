/**
 * The files of a journal, as far as it needs them: the real ones, or what a test puts in their place.
 */
import { Effect } from "effect"
import * as FileSystem from "node:fs/promises"
import * as Path from "node:path"
import { attempt } from "./Directory.ts"
import type { DirectoryError } from "./Directory.ts"

/** A segment that is open for writing. */
export interface SegmentFile {
  readonly write: (data: Uint8Array, position: number) => Effect.Effect<void, DirectoryError>
  readonly truncate: (size: number) => Effect.Effect<void, DirectoryError>
  readonly sync: Effect.Effect<void, DirectoryError>
  readonly close: Effect.Effect<void, DirectoryError>
}

export interface JournalFiles {
  /** Names of the files that are there, in any order. */
  readonly list: Effect.Effect<ReadonlyArray<string>, DirectoryError>
  readonly read: (name: string) => Effect.Effect<Buffer, DirectoryError>
  /** Makes an empty file, or empties the one that is there. */
  readonly create: (name: string) => Effect.Effect<SegmentFile, DirectoryError>
  readonly remove: (name: string) => Effect.Effect<void, DirectoryError>
  readonly rename: (from: string, to: string) => Effect.Effect<void, DirectoryError>
}

/** Files of the real file system. */
export const inDirectory = (directory: string): JournalFiles => {
  const pathOf = (name: string) => Path.join(directory, name)
  return {
    list: attempt(directory, () => FileSystem.readdir(directory)),
    read: (name) => attempt(pathOf(name), () => FileSystem.readFile(pathOf(name))),
    create: (name) =>
      Effect.map(
        attempt(pathOf(name), () => FileSystem.open(pathOf(name), "w", 0o600)),
        (file) => segmentFile(pathOf(name), file)
      ),
    remove: (name) => attempt(pathOf(name), () => FileSystem.rm(pathOf(name), { force: true })),
    rename: (from, to) => attempt(pathOf(from), () => FileSystem.rename(pathOf(from), pathOf(to)))
  }
}

const segmentFile = (path: string, file: FileSystem.FileHandle): SegmentFile => ({
  write: (data, position) =>
    attempt(path, async () => {
      for (let written = 0; written < data.length;) {
        const { bytesWritten } = await file.write(data, written, data.length - written, position + written)
        written += bytesWritten
      }
    }),
  truncate: (size) => attempt(path, () => file.truncate(size)),
  sync: attempt(path, () => file.datasync()),
  close: attempt(path, () => file.close())
})
