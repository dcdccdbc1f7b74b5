/**
 * A report as it stands in the journal: length and CRC-32 of the text (4 bytes each, little endian), then the text (JSON).
 */
import { Result, Schema } from "effect"
import { crc32 } from "node:zlib"
import { Epoch } from "@muster/domain/Manager/Id"
import { SuiteId } from "@muster/domain/Suite/Id"
import { AttemptResults, pack } from "@muster/domain/Task/Packed"

/** Results as they are handed in together. */
export const Report = Schema.Struct({
  commandId: Schema.String,
  suiteId: SuiteId,
  epoch: Epoch,
  ended: AttemptResults
})
export type Report = typeof Report.Type

const decodeReport = Schema.decodeUnknownResult(Schema.fromJsonString(Schema.toCodecJson(Report)))

const headerSize = 8

export const encode = (report: Report): Uint8Array => {
  const { commandId, ended, epoch, suiteId } = report
  // Every other field is plain JSON as it is, so encoding it by its schema would only copy it.
  const text = Buffer.from(JSON.stringify({ commandId, suiteId, epoch, ended: ended.map(pack) }))
  const data = Buffer.allocUnsafe(headerSize + text.length)
  data.writeUInt32LE(text.length, 0)
  data.writeUInt32LE(crc32(text), 4)
  text.copy(data, headerSize)
  return data
}

export interface Decoded {
  readonly reports: ReadonlyArray<Report>
  /** Bytes of the file. */
  readonly size: number
  /** What could not be read. */
  readonly rest: Unreadable | undefined
}

export interface Unreadable {
  readonly position: number
  readonly reason: string
  /** The last record is not whole: what a sudden death leaves behind. Nobody counted on it. */
  readonly isTorn: boolean
}

/** All reports up to the first record that cannot be read. */
export const decodeAll = (data: Buffer): Decoded => {
  const reports: Array<Report> = []
  let position = 0
  const decoded = (reason?: string, isTorn = false): Decoded => ({
    reports,
    size: data.length,
    rest: reason === undefined ? undefined : { position, reason, isTorn }
  })
  while (position < data.length) {
    if (data.length - position < headerSize) return decoded("torn record", true)
    const length = data.readUInt32LE(position)
    const text = data.subarray(position + headerSize, position + headerSize + length)
    if (text.length < length) return decoded("torn record", true)
    if (crc32(text) !== data.readUInt32LE(position + 4)) {
      // A file that grew before its data was written, as after a power failure, ends in zeros or old data.
      return decoded("wrong checksum", position + headerSize + length === data.length)
    }
    const report = decodeReport(text.toString("utf8"))
    if (Result.isFailure(report)) return decoded(`not a report (${report.failure.message})`)
    reports.push(report.success)
    position += headerSize + length
  }
  return decoded()
}
