/**
 * Results that no coordinator has acknowledged yet, on the manager's own disk.
 *
 * A record is one report: its results with the suite, the session and the command id under which they were, or will be,
 * handed in. Records are appended to numbered segment files; a segment goes when all of its records are acknowledged.
 * What a process leaves behind is handed in by its successor under the same command ids, so a coordinator that knows a
 * report already only says so again.
 *
 * **What is forced to the disk, and when.** Writing is enough against the death of the process. Against a power failure it
 * is not, but then the machine's tasks die too, and tasks run at least once: forcing each record would slow every lone task
 * by a disk's latency to save the rare repetition of one. So data is forced only once a second, and only while something
 * has waited for its acknowledgement that long, which means that the coordinator is away.
 *
 * **A disk that is full** (or a journal at its limit) stops no work: what cannot be written stays in memory until it is
 * acknowledged, which an error in the log says once, and the next record tries again.
 */
import { Context, Effect, Layer, Semaphore } from "effect"
import { DirectoryError } from "./Directory.ts"
import * as JournalFiles from "./JournalFiles.ts"
import type { SegmentFile } from "./JournalFiles.ts"
import * as Record from "./JournalRecord.ts"
import type { Report } from "./JournalRecord.ts"

export class Journal extends Context.Service<
  Journal,
  {
    /** What earlier processes left behind, oldest first. */
    readonly earlier: ReadonlyArray<Report>
    /** Keeps a report. Never fails: see above. */
    readonly append: (report: Report) => Effect.Effect<void>
    /** A report is acknowledged and may be forgotten. */
    readonly acknowledge: (report: Report) => Effect.Effect<void>
    /** Bytes on the disk now. */
    readonly size: Effect.Effect<number>
  }
>()("@muster/manager/Journal") {}

export interface Options {
  readonly directory: string
  /** Most bytes on the disk. */
  readonly limit: number
  /** A segment that is larger is closed, and the next one begun. */
  readonly segmentSize?: number | undefined
  /** Where the segments are, if not in the directory itself. */
  readonly files?: JournalFiles.JournalFiles | undefined
}

interface Segment {
  readonly name: string
  /** Absent for those of earlier processes, which are only read. */
  readonly file: SegmentFile | undefined
  size: number
  /** Records without acknowledgement. */
  outstanding: number
  /** Part of it cannot be read: it is put aside for people to look at, not removed. */
  readonly isDamaged: boolean
}

const defaultSegmentSize = 8 * 1024 * 1024

const syncInterval = "1 second"

export const make = Effect.fn("Journal.make")(function* (options: Options) {
  const { directory, limit } = options
  const files = options.files ?? JournalFiles.inDirectory(directory)
  const segmentSize = options.segmentSize ?? defaultSegmentSize
  // File operations follow one another: an append and a truncation at once would leave a hole.
  const turn = yield* Semaphore.make(1)

  const segments = new Set<Segment>()

  const remove = Effect.fnUntraced(
    function* (segment: Segment) {
      segments.delete(segment)
      const { file, isDamaged, name } = segment
      if (file !== undefined) yield* file.close
      yield* isDamaged ? files.rename(name, `${name}.damaged`) : files.remove(name)
    },
    Effect.catch((error) => Effect.logWarning(error.message))
  )

  /** Where a report is kept; absent for what is in memory only. */
  const keptIn = new Map<string, Segment>()
  const earlier: Array<Report> = []
  const numbers = segmentNumbers(yield* files.list)
  for (const number of numbers) {
    const name = segmentName(number)
    const { reports, size, rest } = Record.decodeAll(yield* files.read(name))
    if (rest !== undefined)
      yield* Effect.logWarning(`journal ${directory}: ${name}: ${rest.reason} at byte ${rest.position} of ${size}`)
    const isDamaged = rest !== undefined && !rest.isTorn
    const segment: Segment = { name, file: undefined, size, outstanding: reports.length, isDamaged }
    segments.add(segment)
    for (const report of reports) {
      earlier.push(report)
      keptIn.set(report.commandId, segment)
    }
    if (reports.length === 0) yield* remove(segment)
  }

  let nextNumber = (numbers.at(-1) ?? 0) + 1
  let current: Segment | undefined
  let isFailing = false

  const total = () => {
    let bytes = 0
    for (const segment of segments) bytes += segment.size
    return bytes
  }

  const begin = Effect.gen(function* () {
    const name = segmentName(nextNumber++)
    const segment: Segment = { name, file: yield* files.create(name), size: 0, outstanding: 0, isDamaged: false }
    segments.add(segment)
    current = segment
    return segment
  })

  const write = Effect.fnUntraced(function* (data: Uint8Array) {
    if (total() + data.length > limit) {
      const cause = new Error(`it holds ${total()} of at most ${limit} bytes`)
      return yield* new DirectoryError({ path: directory, cause })
    }
    const segment = current ?? (yield* begin)
    const { file, size } = segment
    if (file !== undefined) {
      yield* file.write(data, size).pipe(
        // Part of the record may be there. What follows it would be unreadable, so it must go, or its segment must end here.
        Effect.tapError(() =>
          file.truncate(size).pipe(
            Effect.catch(() => {
              current = undefined
              return Effect.void
            })
          )
        )
      )
    }
    segment.size += data.length
    if (segment.size >= segmentSize) current = undefined
    return segment
  })

  const append = Effect.fnUntraced(function* (report: Report) {
    const outcome = yield* Effect.result(write(Record.encode(report)))
    if (outcome._tag === "Success") {
      outcome.success.outstanding++
      keptIn.set(report.commandId, outcome.success)
      if (isFailing) yield* Effect.logInfo(`journal ${directory}: works again`)
      isFailing = false
      return
    }
    if (!isFailing) {
      yield* Effect.logError(
        `journal ${directory}: results are kept in memory only until this is mended: ${outcome.failure.message}`
      )
    }
    isFailing = true
  })

  const acknowledge = Effect.fnUntraced(function* (report: Report) {
    const segment = keptIn.get(report.commandId)
    if (segment === undefined) return
    keptIn.delete(report.commandId)
    segment.outstanding--
    if (segment.outstanding > 0) return
    yield* segment === current ? empty(segment) : remove(segment)
  })

  /** A segment that nobody waits for is begun anew, so that a successor finds nothing to do. */
  const empty = Effect.fnUntraced(function* (segment: Segment) {
    const outcome = yield* Effect.result(segment.file?.truncate(0) ?? Effect.void)
    if (outcome._tag === "Success") segment.size = 0
    else yield* Effect.logWarning(outcome.failure.message)
  })

  // What was waiting a second ago and still is has lost its coordinator.
  let waitedFor: Segment | undefined
  const sync = Effect.suspend(() => {
    const segment = current
    const isWaiting = segment !== undefined && segment.outstanding > 0
    const hasWaited = isWaiting && waitedFor === segment
    waitedFor = isWaiting ? segment : undefined
    if (!hasWaited) return Effect.void
    return (segment.file?.sync ?? Effect.void).pipe(Effect.catch((error) => Effect.logWarning(error.message)))
  })
  yield* turn.withPermit(sync).pipe(Effect.delay(syncInterval), Effect.forever, Effect.forkScoped)

  yield* Effect.addFinalizer(() =>
    turn.withPermit(
      Effect.forEach([...segments], (segment) =>
        segment.outstanding === 0 ? remove(segment) : Effect.ignore(segment.file?.close ?? Effect.void)
      )
    )
  )

  return Journal.of({
    earlier,
    // What was begun is finished: half a record must not be taken for none.
    append: (report) => turn.withPermit(Effect.uninterruptible(append(report))),
    acknowledge: (report) => turn.withPermit(Effect.uninterruptible(acknowledge(report))),
    size: Effect.sync(total)
  })
})

export const layer = (options: Options): Layer.Layer<Journal, DirectoryError> => Layer.effect(Journal, make(options))

const segmentName = (number: number) => `${String(number).padStart(10, "0")}.journal`

const segmentNumbers = (names: ReadonlyArray<string>) =>
  names
    .flatMap((name) => (/^\d{10}\.journal$/.test(name) ? [Number.parseInt(name, 10)] : []))
    .toSorted((one, other) => one - other)
