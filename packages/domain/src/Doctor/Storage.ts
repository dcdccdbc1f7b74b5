/**
 * Room on disks.
 */
import { Schema } from "effect"
import * as ByteSize from "../ByteSize.ts"
import * as Finding from "./Finding.ts"
import { percent } from "./Numbers.ts"

/** A file system, seen from a directory. */
export const Volume = Schema.Struct({
  /** What is kept there, such as `the database`. */
  holds: Schema.String,
  path: Schema.String,
  bytes: Schema.Struct({ total: Schema.Finite, free: Schema.Finite }),
  /** Null where the file system has no fixed number. */
  inodes: Schema.NullOr(Schema.Struct({ total: Schema.Finite, free: Schema.Finite }))
})
export type Volume = typeof Volume.Type

/** Below these it is worth a word: a tenth, or less than a gibibyte. */
const low = { part: 0.1, bytes: 1024 ** 3 }
/** Below these writes are about to fail. */
const out = { part: 0.02, bytes: 100 * 1024 ** 2 }

/** A large disk with a gibibyte left is as full as a small one, so the part alone says it only up to this. Bytes. */
const plenty = 20 * 1024 ** 3

const isBelow = (free: number, total: number, limit: typeof low) =>
  free < limit.bytes || (free < total * limit.part && free < plenty)

export const judge = (subject: string, volumes: ReadonlyArray<Volume>): ReadonlyArray<Finding.Finding> =>
  volumes.flatMap((volume) => [space(subject, volume), ...inodes(subject, volume)])

const space = (subject: string, { bytes: { free, total }, holds, path }: Volume) => {
  const say = Finding.about(subject)
  const what = `${path} (${holds}) has ${ByteSize.rounded(free)} of ${ByteSize.rounded(total)} free`
  const next = `make room on it, or move ${holds} elsewhere`
  if (isBelow(free, total, out)) return say.error("disk.space", what, next)
  return isBelow(free, total, low) ? say.warning("disk.space", what, next) : say.ok("disk.space", what)
}

const inodes = (subject: string, { holds, inodes: found, path }: Volume) => {
  if (found === null) return []
  const say = Finding.about(subject)
  const { free, total } = found
  const what = `${path} (${holds}) has ${free} of ${total} inodes free (${percent(free, total)})`
  const next = "remove directories with very many small files from that file system"
  if (free < total * out.part) return [say.error("disk.inodes", what, next)]
  return free < total * low.part ? [say.warning("disk.inodes", what, next)] : [say.ok("disk.inodes", what)]
}
