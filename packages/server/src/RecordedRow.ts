/**
 * An event as its row has it.
 */
import type { Metadata, Recorded } from "@muster/domain/Recorded"

/** What to select from `events`. */
export const columns = "position, stream, version, type, data, metadata, recorded_at"

export interface RecordedRow {
  readonly position: bigint
  readonly stream: string
  readonly version: number
  readonly type: string
  readonly data: Recorded["data"]
  readonly metadata: Metadata
  readonly recorded_at: Date
}

// The columns are written by the event store alone, so they are trusted to hold what it put there.
export const toRecorded = (row: RecordedRow): Recorded => ({
  position: Number(row.position),
  stream: row.stream,
  version: row.version,
  type: row.type,
  data: row.data,
  metadata: row.metadata,
  recordedAt: row.recorded_at.getTime()
})
