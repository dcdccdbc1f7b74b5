/**
 * How the rules of an aggregate are told in tests: `given(…events).when(command).gives(…events)`.
 */
import { assert } from "@effect/vitest"
import { Result } from "effect"
import type { Decider } from "@muster/domain/Decider"
import { replay } from "@muster/domain/Decider"

/** Every command says when it was given. */
export interface Timed {
  readonly now: number
}

/** One command with what became of it. */
export interface Step<Command, Event, Error> {
  readonly command: Command
  /** The command's events, and those that followed from the state by itself. */
  readonly events: ReadonlyArray<Event>
  readonly error: Error | undefined
}

/** Rounds of `follow` after which something goes in circles. */
const maxFollowRounds = 100

/** Decides one command, applies its events and what follows from them. Uses up the state that it is given. */
export const step = <State, Command extends Timed, Event, Error>(
  decider: Decider<State, Command, Event, Error>,
  state: State,
  command: Command
): { readonly state: State; readonly step: Step<Command, Event, Error> } => {
  const decision = decider.decide(state, command)
  if (Result.isFailure(decision)) return { state, step: { command, events: [], error: decision.failure } }
  const events = [...decision.success]
  let current = events.reduce(decider.evolve, state)
  for (let round = 0; decider.follow !== undefined; round++) {
    const more = decider.follow(current, command.now)
    if (more.length === 0) break
    assert.isBelow(round, maxFollowRounds, `what follows never ends: ${JSON.stringify(more)}`)
    events.push(...more)
    current = more.reduce(decider.evolve, current)
  }
  return { state: current, step: { command, events, error: undefined } }
}

/** Decides commands one after the other from the beginning. */
export const run = <State, Command extends Timed, Event, Error>(
  decider: Decider<State, Command, Event, Error>,
  commands: Iterable<Command>
): { readonly state: State; readonly steps: ReadonlyArray<Step<Command, Event, Error>> } => {
  const steps: Array<Step<Command, Event, Error>> = []
  let state = decider.initial()
  for (const command of commands) {
    const next = step(decider, state, command)
    state = next.state
    steps.push(next.step)
  }
  return { state, steps }
}

/** What a command led to, to be compared with what it should. */
export interface Outcome<State, Event, Error> {
  /** Exactly these events, in this order. */
  readonly gives: (...events: ReadonlyArray<Event>) => void
  /** It was so already: no event, no error. */
  readonly givesNothing: () => void
  /** Refused with this error and nothing else. */
  readonly isRefused: (error: Error) => void
  /** The events, for tests that look at a part of them. */
  readonly events: ReadonlyArray<Event>
  /** Why it was refused, if it was. */
  readonly error: Error | undefined
  /** The state afterwards. */
  readonly state: State
}

/** The words of the tests of one aggregate. */
export const make = <State, Command extends Timed, Event, Error>(decider: Decider<State, Command, Event, Error>) => ({
  given: (...history: ReadonlyArray<Event>) => ({
    /** Gives the commands one after the other; the outcome is the last one's. */
    when: (...commands: readonly [Command, ...ReadonlyArray<Command>]): Outcome<State, Event, Error> => {
      let state = replay(decider, history)
      let last: Step<Command, Event, Error> | undefined
      for (const command of commands) {
        const next = step(decider, state, command)
        state = next.state
        last = next.step
      }
      const events = last?.events ?? []
      const error = last?.error
      return {
        gives: (...expected) => {
          assert.isUndefined(error, `refused: ${String(error)}`)
          assert.deepStrictEqual(events, expected)
        },
        givesNothing: () => {
          assert.isUndefined(error, `refused: ${String(error)}`)
          assert.deepStrictEqual(events, [])
        },
        isRefused: (expected) => {
          assert.deepStrictEqual(events, [])
          assert.deepStrictEqual(error, expected)
        },
        events,
        error,
        state
      }
    }
  })
})
