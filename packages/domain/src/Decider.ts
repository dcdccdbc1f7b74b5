/**
 * The one form in which every rule of the system is written.
 */
import type { Result } from "effect"

/**
 * An aggregate as pure functions.
 *
 * - `decide` says which events a command causes, or why it is refused. No events means "already so": repeating a
 *   command is harmless. Time, ids and random numbers arrive inside the command.
 * - `evolve` is total and silent: an event that cannot happen in a state leaves it as it is.
 *
 * **The state is used linearly.** A suite of a million tasks cannot be copied for each event, so `evolve` may change
 * the state that it is given and return it; whoever calls it must not use the old one again. When an append fails the
 * state is thrown away and loaded anew.
 */
export interface Decider<State, Command, Event, Error> {
  readonly initial: () => State
  readonly evolve: (state: State, event: Event) => State
  readonly decide: (state: State, command: Command) => Result.Result<ReadonlyArray<Event>, Error>
  /**
   * What follows from a state by itself, such as the end of a suite whose last task has ended. Asked after each command
   * until it gives nothing more; its events are stored together with the command's.
   */
  readonly follow?: (state: State, now: number) => ReadonlyArray<Event>
}

/** Folds a history into a state. */
export const replay = <State, Event>(
  decider: Pick<Decider<State, never, Event, unknown>, "initial" | "evolve">,
  history: Iterable<Event>
): State => {
  let state = decider.initial()
  for (const event of history) state = decider.evolve(state, event)
  return state
}
