/**
 * Attempts that ended in each minute by outcome, and the time that they ran. The minute is the coordinator's, which
 * recorded them: clocks of machines differ.
 */
import type { SuiteEvent } from "@muster/domain/Suite/Events"
import type { Recorded } from "@muster/domain/Recorded"
import type { Outcome } from "@muster/domain/Task/Attempt"
import * as LogEvent from "../LogEvent.ts"
import * as Param from "../Param.ts"
import type { Projection } from "../Subscription.ts"

/** The subscription gives only events of this type, and only suites write them. */
type AttemptsEnded = Extract<SuiteEvent, { readonly _tag: "AttemptsEnded" }>

const minuteMillis = 60_000

interface Cell {
  readonly minute: number
  readonly outcome: Outcome
  tasks: number
  millis: number
}

/** One cell for each minute and outcome that the events speak of. */
const count = (events: ReadonlyArray<Recorded>): ReadonlyArray<Cell> => {
  const cells = new Map<string, Cell>()
  for (const { at, attempts } of events.map(LogEvent.decode<AttemptsEnded>)) {
    const minute = Math.floor(at / minuteMillis) * minuteMillis
    for (const { duration, outcome } of attempts) {
      const key = `${minute} ${outcome}`
      const cell = cells.get(key) ?? { minute, outcome, tasks: 0, millis: 0 }
      cell.tasks += 1
      cell.millis += duration ?? 0
      cells.set(key, cell)
    }
  }
  return [...cells.values()]
}

export const projection: Projection = {
  name: "throughput",
  version: 1,
  tables: ["throughput"],
  eventTypes: ["AttemptsEnded" satisfies SuiteEvent["_tag"]],
  handle: (events) => {
    const cells = count(events)
    return [
      {
        text: `
          insert into throughput (minute, outcome, tasks, seconds)
          select * from unnest($1::timestamptz[], $2::text[], $3::bigint[], $4::double precision[])
          on conflict (minute, outcome) do update
          set tasks = throughput.tasks + excluded.tasks, seconds = throughput.seconds + excluded.seconds`,
        params: [
          Param.timestamps(cells.map(({ minute }) => minute)),
          Param.texts(cells.map(({ outcome }) => outcome)),
          Param.bigints(cells.map(({ tasks }) => tasks)),
          Param.doubles(cells.map(({ millis }) => millis / 1_000))
        ]
      }
    ]
  }
}
