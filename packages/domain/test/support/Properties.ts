/**
 * What holds for every aggregate, checked on generated commands and events.
 */
import { assert } from "@effect/vitest"
import { Result, Schema } from "effect"
import type { Decider } from "@muster/domain/Decider"
import { step } from "./GivenWhenThen.ts"
import type { Timed } from "./GivenWhenThen.ts"

/** A text that is the same for states that are the same. For states that are more than plain data give one of your own. */
type Fingerprint<State> = (state: State) => string

const asJson = (state: unknown): string => JSON.stringify(state)

/**
 * `decide` never gives an event that `evolve` passes over: each one changes the state. `isNote` names events that by
 * their meaning change nothing.
 */
export const eventsArePossible = <State, Command extends Timed, Event, Error>(
  decider: Decider<State, Command, Event, Error>,
  commands: Iterable<Command>,
  options: { readonly fingerprint?: Fingerprint<State>; readonly isNote?: (event: Event) => boolean } = {}
): void => {
  const fingerprint = options.fingerprint ?? asJson
  const watched: Decider<State, Command, Event, Error> = {
    ...decider,
    evolve: (state, event) => {
      const before = fingerprint(state)
      const after = decider.evolve(state, event)
      if (options.isNote?.(event) !== true) {
        assert.notStrictEqual(fingerprint(after), before, `changes nothing: ${JSON.stringify(event)}`)
      }
      return after
    }
  }
  let state = watched.initial()
  for (const command of commands) state = step(watched, state, command).state
}

/** A command that comes twice in a row gives nothing the second time, or is refused. */
export const repeatingAddsNothing = <State, Command extends Timed, Event, Error>(
  decider: Decider<State, Command, Event, Error>,
  commands: Iterable<Command>
): void => {
  let state = decider.initial()
  for (const command of commands) {
    state = step(decider, state, command).state
    const again = decider.decide(state, command)
    if (Result.isSuccess(again)) assert.deepStrictEqual(again.success, [], JSON.stringify(command))
  }
}

/** Folding the decided events from the beginning gives the state that deciding led to. */
export const replayAgrees = <State, Command extends Timed, Event, Error>(
  decider: Decider<State, Command, Event, Error>,
  commands: Iterable<Command>,
  fingerprint: Fingerprint<State> = asJson
): void => {
  let state = decider.initial()
  let replayed = decider.initial()
  for (const command of commands) {
    const next = step(decider, state, command)
    state = next.state
    replayed = next.step.events.reduce(decider.evolve, replayed)
  }
  assert.strictEqual(fingerprint(replayed), fingerprint(state))
}

/** `evolve` takes any event in any state. */
export const evolveIsTotal = <State, Event>(
  decider: Pick<Decider<State, never, Event, unknown>, "evolve">,
  state: State,
  events: Iterable<Event>
): void => {
  let current = state
  for (const event of events) {
    current = decider.evolve(current, event)
    assert.isDefined(current)
  }
}

/**
 * A value is plain JSON and survives its codec: events are stored as they are, without one. Compared as JSON reads it,
 * which knows no negative zero.
 */
export const survivesJson = <A, E>(schema: Schema.Codec<A, E>, value: A): void => {
  const plain: unknown = JSON.parse(JSON.stringify(value))
  const encoded: unknown = JSON.parse(JSON.stringify(Schema.encodeSync(schema)(value)))
  assert.deepStrictEqual(encoded, plain)
  assert.deepStrictEqual<unknown>(Schema.decodeUnknownSync(schema)(plain), plain)
}
