/**
 * Specs of a suite's tasks by index. They stand once, in the events that submitted them; what is leased next is mostly
 * what was submitted or read last, so a bounded number of events stays in memory.
 */
import { Effect } from "effect"
import { Unavailable } from "@muster/domain/Errors"
import type { Recorded } from "@muster/domain/Recorded"
import { maxFrameSize } from "@muster/domain/Rpc/Serialization"
import type { SuiteEvent } from "@muster/domain/Suite/Events"
import { isCommand } from "@muster/domain/Task/Spec"
import type { TaskSpec } from "@muster/domain/Task/Spec"
import { EventStore } from "../EventStore.ts"

/** Tasks whose specs are kept in memory per suite, as whole events. */
const keptTasks = 20_000

/** Events that are read ahead when one is missing: leases go through a suite in order. */
const readAhead = 8

/** Where a task's spec stands. */
export interface Place {
  readonly version: number
  readonly offset: number
}

export interface TaskSpecs {
  /** Keeps what was just submitted, if there is room: what comes first in the queue is worth more than what comes last. */
  readonly submitted: (version: number, tasks: ReadonlyArray<TaskSpec>) => void
  readonly read: (places: ReadonlyArray<Place>) => Effect.Effect<ReadonlyArray<TaskSpec>, Unavailable>
}

export const make = (
  stream: string,
  decode: (recorded: Recorded) => SuiteEvent
): Effect.Effect<TaskSpecs, never, EventStore> =>
  Effect.gen(function* () {
    const store = yield* EventStore
    const kept = new Map<number, ReadonlyArray<TaskSpec>>()
    let size = 0

    const keep = (version: number, tasks: ReadonlyArray<TaskSpec>) => {
      if (kept.has(version)) return
      kept.set(version, tasks)
      size += tasks.length
    }

    /** Drops what was used longest ago until there is room again. What was used last stays, however large. */
    const shrink = () => {
      for (const [version, tasks] of kept) {
        if (size <= keptTasks || kept.size === 1) return
        kept.delete(version)
        size -= tasks.length
      }
    }

    const load = Effect.fnUntraced(function* (version: number) {
      const events = yield* store.readStream(stream, { after: version - 1, limit: readAhead })
      for (const recorded of events) {
        if (recorded.type !== "TasksSubmitted") continue
        const event = decode(recorded)
        if (event._tag === "TasksSubmitted") keep(recorded.version, event.tasks)
      }
      return kept.get(version) ?? []
    })

    const read = Effect.fnUntraced(
      function* (places: ReadonlyArray<Place>) {
        const found: Array<TaskSpec> = []
        for (const { offset, version } of places) {
          const known = kept.get(version)
          const tasks = known ?? (yield* load(version))
          const spec = tasks[offset]
          if (spec === undefined) return yield* Effect.die(new Error(`${stream} has no task ${offset} at ${version}`))
          found.push(spec)
        }
        const last = places.at(-1)
        if (last !== undefined) touch(last.version)
        shrink()
        return found
      },
      Effect.catchTag("EventStoreError", (error) => new Unavailable({ reason: error.message }))
    )

    const touch = (version: number) => {
      const tasks = kept.get(version)
      if (tasks === undefined) return
      kept.delete(version)
      kept.set(version, tasks)
    }

    return {
      submitted: (version, tasks) => {
        if (size + tasks.length <= keptTasks) keep(version, tasks)
      },
      read
    }
  })

/** Characters of specs in one lease at most: half of what a message may hold, since escapes make text longer. */
const maxLeaseSize = maxFrameSize / 2

/** What a spec takes without its texts. */
const smallSpec = 256

/** About the characters that a spec takes in a message. Exact only where it matters: in what users may make long. */
const sizeOf = (spec: TaskSpec): number => {
  let size = smallSpec
  for (const [name, value] of Object.entries(spec.env ?? {})) size += name.length + value.length
  if (!isCommand(spec)) return size + (spec.input === undefined ? 0 : JSON.stringify(spec.input).length)
  for (const argument of spec.args ?? []) size += argument.length + 3
  return size + spec.program.length + (spec.stdin?.length ?? 0)
}

/** How many of these specs, from the first on, fit into one message. At least one, if there is one. */
export const fitting = (specs: ReadonlyArray<TaskSpec>, limit = maxLeaseSize): number => {
  let size = 0
  for (const [place, spec] of specs.entries()) {
    size += sizeOf(spec)
    if (size > limit && place > 0) return place
  }
  return specs.length
}
