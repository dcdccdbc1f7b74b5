/**
 * Walking a log step by step: where one is, and the states there. Going back folds again from the nearest copy of the
 * states that was kept on the way.
 */
import type { Recorded } from "@muster/domain/Recorded"
import { saidOf } from "@muster/domain/Explanation/History"
import * as Moment from "@muster/domain/Moment"
import * as Replay from "@muster/domain/Replay"
import * as LogEvent from "@muster/server/LogEvent"

/** Copies that are kept: those of a suite of a million tasks are 12 MB each. */
const copies = 16

/** Events between two copies at least. */
const leastBetween = 100

/** An event of the log in the shape that its stream's `evolve` knows. */
export const happened = (recorded: Recorded): Replay.Happened =>
  // The name of its stream says what kind of event it is.
  ({ stream: recorded.stream, event: LogEvent.decode(recorded) }) as Replay.Happened

export interface Stepper {
  readonly size: number
  /** How many events have happened: 0 before the first. */
  readonly place: () => number
  readonly event: () => Recorded | undefined
  /** Before the latest event, and after it. */
  readonly before: () => Replay.Summary
  readonly after: () => Replay.Summary
  /** To the place after so many events, or as near as there is one. */
  readonly goTo: (place: number) => void
  /** To the next event after this place that fits; false when there is none. */
  readonly find: (fits: (event: Recorded) => boolean) => boolean
}

export const make = (log: ReadonlyArray<Recorded>): Stepper => {
  const every = Math.max(leastBetween, Math.ceil(log.length / copies))
  const kept = new Map<number, Replay.World>()
  let world = Replay.make()
  let place = 0
  let before = Replay.summary(world)
  let after = before

  const goTo = (wanted: number) => {
    const to = Math.max(0, Math.min(wanted, log.length))
    if (to === place) return
    if (to < place) {
      const nearest = Math.max(0, Math.floor((to - 1) / every) * every)
      const copy = kept.get(nearest)
      world = copy === undefined ? Replay.make() : Replay.copy(copy)
      place = copy === undefined ? 0 : nearest
    }
    before = Replay.summary(world)
    while (place < to) {
      if (place === to - 1) before = Replay.summary(world)
      if (place > 0 && place % every === 0 && !kept.has(place)) kept.set(place, Replay.copy(world))
      const event = log[place]
      if (event !== undefined) Replay.step(world, happened(event))
      place++
    }
    after = Replay.summary(world)
  }

  return {
    size: log.length,
    place: () => place,
    event: () => log[place - 1],
    before: () => before,
    after: () => after,
    goTo,
    find: (fits) => {
      const found = log.findIndex((event, index) => index >= place && fits(event))
      if (found < 0) return false
      goTo(found + 1)
      return true
    }
  }
}

/** What is asked for after a key that needs more: what, and how it is looked for. */
export interface Question {
  readonly prompt: string
  /** Nothing, or why nothing was found. */
  readonly answer: (stepper: Stepper, text: string) => string | undefined
}

const speaksOf = (index: number) => (recorded: Recorded) => {
  if (!recorded.stream.startsWith("suite-")) return false
  const { event } = happened(recorded)
  // Only events of suites say anything of tasks.
  return saidOf(event as Parameters<typeof saidOf>[0], index) !== undefined
}

export const questions: Readonly<Record<string, Question>> = {
  t: {
    prompt: "next event of task (its index)",
    answer: (stepper, text) => {
      const index = /^(?:[0-9a-z]{16}\.)?(\d{1,10})$/.exec(text)?.[1]
      if (index === undefined) return `${JSON.stringify(text)} is no index of a task`
      return stepper.find(speaksOf(Number(index))) ? undefined : `no later event speaks of task ${index}`
    }
  },
  e: {
    prompt: "event number",
    answer: (stepper, text) => {
      if (!/^\d{1,10}$/.test(text)) return `${JSON.stringify(text)} is not a number from 0 to ${stepper.size}`
      stepper.goTo(Number(text))
      return undefined
    }
  },
  "@": {
    prompt: "time (2026-11-24T18:20:00Z)",
    answer: (stepper, text) => {
      const time = Moment.parse(text, Date.now())
      if (time === undefined) return `${JSON.stringify(text)} is no time`
      stepper.goTo(0)
      // The first event that is later; one before it is the last that had happened by then.
      if (stepper.find(({ recordedAt }) => recordedAt > time)) stepper.goTo(stepper.place() - 1)
      else stepper.goTo(stepper.size)
      return undefined
    }
  },
  "/": {
    prompt: "next event with this in its type or stream",
    answer: (stepper, text) => {
      const wanted = text.toLowerCase()
      const fits = ({ stream, type }: Recorded) => `${type} ${stream}`.toLowerCase().includes(wanted)
      return stepper.find(fits) ? undefined : `no later event has ${JSON.stringify(text)}`
    }
  }
}

/** Keys that move by themselves. */
export const moves: Readonly<Record<string, (stepper: Stepper) => void>> = {
  n: (stepper) => stepper.goTo(stepper.place() + 1),
  b: (stepper) => stepper.goTo(stepper.place() - 1),
  g: (stepper) => stepper.goTo(0),
  G: (stepper) => stepper.goTo(stepper.size)
}
