/**
 * Read models that are written in the transaction that appends their events, as something that can also be replayed.
 */
import type { Decider } from "@muster/domain/Decider"
import type { Recorded } from "@muster/domain/Recorded"
import type { RowChanges } from "./Aggregate.ts"
import type { Write } from "./EventStore.ts"

/**
 * A row of such a read model follows from the events of one stream alone, and from nothing that is only known after the
 * append (position, time of recording).
 */
export interface InlineProjection {
  readonly name: string
  /** Its tables, written by nobody else. */
  readonly tables: ReadonlyArray<string>
  /** Beginning of the names of its streams, such as `suite-`. */
  readonly streams: string
  /**
   * Begins a stream. The answer is given all of its events in order, cut into batches anyhow, and says what they change;
   * the changes are run one after the other.
   */
  readonly begin: (stream: string) => (events: ReadonlyArray<Recorded>) => ReadonlyArray<Write>
}

/** Rows that follow from the state alone; they also know the version that it has. */
export const ofState =
  <State>(writes: (state: State, version: number) => ReadonlyArray<Write>) =>
  (): RowChanges<State, unknown> => {
    let last = 0
    return {
      add: (_before, { version }) => {
        last = version
      },
      writes: (after) => ({ writes: writes(after, last), sequential: false })
    }
  }

/** The read model of an aggregate that writes its rows as `Aggregate` commits its events. */
export const ofAggregate = <State, Event>(options: {
  readonly name: string
  readonly tables: ReadonlyArray<string>
  readonly streams: string
  readonly decider: Pick<Decider<State, never, Event, unknown>, "initial" | "evolve">
  readonly decode: (recorded: Recorded) => Event
  readonly rows: () => RowChanges<State, Event>
}): InlineProjection => ({
  name: options.name,
  tables: options.tables,
  streams: options.streams,
  begin: () => {
    let state = options.decider.initial()
    return (recorded) => {
      const rows = options.rows()
      for (const one of recorded) {
        const event = options.decode(one)
        rows.add(state, { event, version: one.version })
        state = options.decider.evolve(state, event)
      }
      return rows.writes(state).writes
    }
  }
})
