/**
 * A suite's state as bytes, so that its entity need not read the suite's whole history when it moves: a header in JSON
 * with what is small, then the columns of the task table as they stand in memory. What follows from the tables (counts,
 * queue, who holds how many) is not stored but made again.
 *
 *     magic, length of the header | header | columns, each from a multiple of 8
 */
import { Option, Schema } from "effect"
import { Epoch, ManagerId } from "../Manager/Id.ts"
import { resolveRetry, RetryPolicy } from "../Task/Spec.ts"
import { Range } from "./Events.ts"
import { SuiteId } from "./Id.ts"
import { ofRanges } from "./RangeList.ts"
import { SuiteSpec, SuiteState } from "./Spec.ts"
import * as State from "./State.ts"
import type { Existing } from "./State.ts"
import { Phase, TaskTable, columns } from "./TaskTable.ts"

/** Version of the bytes' shape. What has another one is not decoded: the log has everything. */
export const schemaVersion = 2

/** In front of every snapshot, in the byte order of the machine: it differs where the columns' byte order does. */
const magic = 0x4d535400 + schemaVersion

const prefixSize = 8
const alignment = 8

/** By manager and number of the attempt. */
const Losses = Schema.Array(Schema.Tuple([ManagerId, Schema.Int, Schema.Array(Range)]))

const Header = Schema.Struct({
  id: SuiteId,
  spec: SuiteSpec,
  createdAt: Schema.Int,
  state: SuiteState,
  paused: Schema.Boolean,
  stopped: Schema.Boolean,
  lastSubmittedAt: Schema.Int,
  completedAt: Schema.NullOr(Schema.Int),
  version: Schema.Int,
  /** Number of rows in the columns of tasks, delays and batches. */
  tasks: Schema.Int,
  delays: Schema.Int,
  batches: Schema.Int,
  /** By place, as the column `holder` names them. */
  holders: Schema.Array(Schema.Tuple([ManagerId, Epoch])),
  /** By place, as the column `profile` names them. */
  profiles: Schema.Array(Schema.Tuple([Schema.Int, RetryPolicy])),
  fences: Schema.Array(Schema.Tuple([ManagerId, Epoch])),
  lostAttempts: Losses,
  lostLeases: Losses,
  plain: Schema.Array(Range)
})

const HeaderJson = Schema.fromJsonString(Header)
const encodeHeader = Schema.encodeSync(HeaderJson)
const decodeHeader = Schema.decodeUnknownOption(HeaderJson)

type Column = Uint8Array<ArrayBuffer> | Uint16Array<ArrayBuffer> | Uint32Array<ArrayBuffer> | Float64Array<ArrayBuffer>

/** Tables other than that of the tasks, as columns. */
interface Tables {
  readonly delayedIndexes: Uint32Array<ArrayBuffer>
  readonly delayedUntil: Float64Array<ArrayBuffer>
  readonly firstIndexes: Uint32Array<ArrayBuffer>
  readonly versions: Uint32Array<ArrayBuffer>
}

export const encode = (state: Existing): Uint8Array<ArrayBuffer> => {
  const { batches, delays, tasks } = state
  const waiting = [...delays.entries()]
  const header = new TextEncoder().encode(
    encodeHeader({
      id: state.id,
      spec: state.spec,
      createdAt: state.createdAt,
      state: state.state,
      paused: state.paused,
      stopped: state.stopped,
      lastSubmittedAt: state.lastSubmittedAt,
      completedAt: state.completedAt ?? null,
      version: state.version,
      tasks: tasks.size,
      delays: waiting.length,
      batches: batches.firstIndex.length,
      holders: state.holders.list().map(({ epoch, manager }) => [manager, epoch] as const),
      profiles: state.profiles.map(({ priority, retry }) => [priority, retry] as const),
      fences: [...state.fences],
      lostAttempts: state.lostAttempts.entries(),
      lostLeases: state.lostLeases.entries(),
      plain: state.plain.ranges()
    })
  )
  const all = inOrder(tasks, {
    delayedIndexes: Uint32Array.from(waiting, ([index]) => index),
    delayedUntil: Float64Array.from(waiting, ([, time]) => time),
    firstIndexes: Uint32Array.from(batches.firstIndex),
    versions: Uint32Array.from(batches.version)
  })
  const places = layOut(header.length, all)
  const bytes = new Uint8Array(places.end)
  bytes.set(bytesOf(Uint32Array.of(magic, header.length)))
  bytes.set(header, prefixSize)
  for (const [place, column] of all.entries()) bytes.set(bytesOf(column), places.starts[place])
  return bytes
}

/** The state, or nothing when the bytes have another version or are not whole. */
export const decode = (bytes: Uint8Array): Existing | undefined => {
  if (bytes.length < prefixSize) return undefined
  const prefix = new Uint32Array(2)
  bytesOf(prefix).set(bytes.subarray(0, prefixSize))
  const headerLength = prefix[1] ?? 0
  if (prefix[0] !== magic || bytes.length < prefixSize + headerLength) return undefined
  const text = new TextDecoder().decode(bytes.subarray(prefixSize, prefixSize + headerLength))
  const header = Option.getOrUndefined(decodeHeader(text))
  if (header === undefined) return undefined
  const tasks = TaskTable.ofSize(header.tasks)
  const tables: Tables = {
    delayedIndexes: new Uint32Array(header.delays),
    delayedUntil: new Float64Array(header.delays),
    firstIndexes: new Uint32Array(header.batches),
    versions: new Uint32Array(header.batches)
  }
  const all = inOrder(tasks, tables)
  const places = layOut(headerLength, all)
  if (bytes.length !== places.end) return undefined
  for (const [place, column] of all.entries()) {
    const start = places.starts[place] ?? 0
    bytesOf(column).set(bytes.subarray(start, start + column.byteLength))
  }
  return restore(header, tasks, tables)
}

const restore = (header: typeof Header.Type, tasks: TaskTable, tables: Tables): Existing => {
  const state: Existing = {
    ...State.make(header.id, header.spec, header.createdAt),
    tasks,
    plain: ofRanges(header.plain),
    state: header.state,
    paused: header.paused,
    stopped: header.stopped,
    lastSubmittedAt: header.lastSubmittedAt,
    completedAt: header.completedAt ?? undefined,
    version: header.version,
    batches: { firstIndex: [...tables.firstIndexes], version: [...tables.versions] }
  }
  for (const [priority, retry] of header.profiles) State.internProfile(state, { priority, retry: resolveRetry(retry) })
  for (const [manager, epoch] of header.fences) state.fences.set(manager, epoch)
  for (const table of ["lostAttempts", "lostLeases"] as const) {
    for (const [manager, attempt, ranges] of header[table]) {
      for (const [first, last] of ranges) state[table].addRange(manager, attempt, first, last)
    }
  }
  for (const [place, index] of tables.delayedIndexes.entries()) {
    state.delays.set(index, tables.delayedUntil[place] ?? 0)
  }
  for (let index = 0; index < tasks.size; index++) {
    const phase = tasks.phaseOf(index)
    state.counts[phase] = (state.counts[phase] ?? 0) + 1
    if (phase !== Phase.assigned && phase !== Phase.running) continue
    const holder = header.holders[tasks.holder[index] ?? -1]
    if (holder !== undefined) tasks.holder[index] = state.holders.gain(...holder, 1)
  }
  State.enqueueAll(state, 0, tasks.size - 1)
  return state
}

/** All columns in the order in which they are stored. */
const inOrder = (tasks: TaskTable, tables: Tables): ReadonlyArray<Column> => [
  ...columns.map((column) => tasks[column].subarray(0, tasks.size)),
  tables.delayedIndexes,
  tables.delayedUntil,
  tables.firstIndexes,
  tables.versions
]

const layOut = (
  headerLength: number,
  all: ReadonlyArray<Column>
): { readonly starts: ReadonlyArray<number>; readonly end: number } => {
  const starts: Array<number> = []
  let end = aligned(prefixSize + headerLength)
  for (const column of all) {
    starts.push(end)
    end = aligned(end + column.byteLength)
  }
  return { starts, end }
}

const aligned = (size: number): number => Math.ceil(size / alignment) * alignment

const bytesOf = (column: Column): Uint8Array<ArrayBuffer> =>
  new Uint8Array(column.buffer, column.byteOffset, column.byteLength)
