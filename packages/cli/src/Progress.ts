/**
 * How far a suite has come. On a terminal one line that is drawn over itself; anywhere else a line now and then, so that
 * the log of a nightly run stays short.
 */
import { Clock, Effect } from "effect"
import type { Scope } from "effect"
import type { SuiteView } from "@muster/domain/Suite/View"
import type { TaskCounts } from "@muster/domain/Suite/Spec"
import * as Screen from "./Screen.ts"
import * as Show from "./Show.ts"
import * as Style from "./Style.ts"
import { counts } from "./views/Suites.ts"

/** Milliseconds between two drawings on a terminal. */
const drawInterval = 100
/** Milliseconds between two lines where there is no terminal. */
const logInterval = 10_000
/** The rate is that of about the last so many milliseconds. */
const rateWindow = 5_000

const hideCursor = "\u001B[?25l"
const showCursor = "\u001B[?25h"
const eraseLine = "\r\u001B[2K"

export const settled = ({ cancelled, failed, succeeded }: TaskCounts): number => succeeded + failed + cancelled

/** A rate that forgets. */
export interface Speed {
  readonly at: number
  readonly done: number
  /** Tasks per second. */
  readonly rate: number
}

/** The speed after `done` tasks at time `at`. What happened long ago counts ever less. */
export const accelerate = (speed: Speed | undefined, at: number, done: number): Speed => {
  if (speed === undefined) return { at, done, rate: 0 }
  const elapsed = at - speed.at
  if (elapsed <= 0) return speed
  const current = (Math.max(0, done - speed.done) * 1_000) / elapsed
  const weight = speed.rate === 0 ? 1 : 1 - Math.exp(-elapsed / rateWindow)
  return { at, done, rate: speed.rate + (current - speed.rate) * weight }
}

export interface State {
  readonly tasks: TaskCounts
  readonly rate: number
  /** More tasks may come, so there is no end to compute yet. */
  readonly isGrowing: boolean
  readonly note?: string
}

const filled = "█"
const parts = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"] as const
const maxBar = 40
const minBar = 10

/** A bar of `width` columns, filled to a fraction. */
export const bar = (fraction: number, width: number): string => {
  const eighths = Math.round(Math.min(1, Math.max(0, fraction)) * width * 8)
  const text = filled.repeat(Math.floor(eighths / 8)) + (parts[eighths % 8] ?? "")
  // All of these characters are one unit of UTF-16.
  return text.padEnd(width)
}

/** A guess with decimals would promise too much. */
const wholeSeconds = (seconds: number): string => {
  const whole = Math.max(1, Math.ceil(seconds))
  return whole < 60 ? `${whole}s` : Show.duration(whole * 1_000)
}

/** The line, never wider than `width`. */
export const render = ({ isGrowing, note, rate, tasks }: State, width: number, paint: Style.Paint): string => {
  const done = settled(tasks)
  const facts = [`${Show.count(done)}/${Show.count(tasks.total)}${isGrowing ? "+" : ""}`]
  if (!isGrowing && tasks.total > 0) facts.push(`${Math.floor((done / tasks.total) * 100)}%`)
  facts.push(`${Show.rate(rate)}/s`)
  const rest = tasks.total - done
  // With a note it is no longer the usual course of things, so the usual speed foretells nothing.
  if (!isGrowing && rest > 0 && rate > 0 && note === undefined) facts.push(`ETA ${wholeSeconds(rest / rate)}`)
  const alarms = [
    tasks.failed > 0 ? paint("red", `${Show.count(tasks.failed)} failed`) : "",
    tasks.cancelled > 0 ? paint("yellow", `${Show.count(tasks.cancelled)} cancelled`) : "",
    note ?? ""
  ].filter((text) => text !== "")
  const plain = [
    ...facts,
    tasks.failed > 0 ? `${Show.count(tasks.failed)} failed` : "",
    tasks.cancelled > 0 ? `${Show.count(tasks.cancelled)} cancelled` : "",
    note ?? ""
  ].filter((text) => text !== "")
  // One column stays free: some terminals wrap when the last one is written.
  const room = width - 1 - plain.join("  ").length - 3
  if (room < minBar) return plain.join("  ").slice(0, width - 1)
  const drawn = bar(tasks.total === 0 ? 0 : done / tasks.total, Math.min(maxBar, room))
  return `${paint("green", drawn)}▏ ${[...facts, ...alarms].join("  ")}`
}

/** What became of a suite, on one line. `elapsed` in milliseconds, where it is known. */
export const summary = (suite: Pick<SuiteView, "tasks">, elapsed: number | undefined): string => {
  const of = counts(suite)
  const time =
    elapsed === undefined
      ? ""
      : ` in ${Show.duration(elapsed)} (${Show.rate(settled(suite.tasks) / Math.max(elapsed / 1_000, 0.001))}/s)`
  return `${Show.plural(suite.tasks.total, "task")}${of === "" ? "" : `: ${of}`}${time}`
}

export interface Progress {
  readonly update: (suite: Pick<SuiteView, "tasks">) => Effect.Effect<void>
  /** More tasks may come. */
  readonly grow: (isGrowing: boolean) => Effect.Effect<void>
  /** Words at the end of the line, where there is one that is drawn. */
  readonly say: (note: string) => Effect.Effect<void>
  /** Writes a line above the progress. */
  readonly above: (line: string) => Effect.Effect<void>
}

const none: TaskCounts = {
  total: 0,
  pending: 0,
  queued: 0,
  assigned: 0,
  running: 0,
  succeeded: 0,
  failed: 0,
  cancelled: 0
}

const onTerminal = (err: Screen.Stream): Effect.Effect<Progress, never, Scope.Scope> =>
  Effect.gen(function* () {
    const paint = Style.paint(err)
    let state: State = { tasks: none, rate: 0, isGrowing: false }
    let speed: Speed | undefined
    let isDrawn = false
    const draw = Effect.suspend(() => {
      isDrawn = true
      return err.write(eraseLine + render(state, err.columns(), paint))
    })
    const erase = Effect.suspend(() => {
      if (!isDrawn) return Effect.void
      isDrawn = false
      return err.write(eraseLine)
    })
    yield* Effect.acquireRelease(err.write(hideCursor), () => Effect.andThen(erase, err.write(showCursor)))
    // Drawn by the clock and not by the news, so that the rate falls when nothing comes.
    yield* Effect.forkScoped(
      Effect.forever(
        Effect.gen(function* () {
          yield* Effect.sleep(drawInterval)
          if (state.tasks.total === 0) return
          speed = accelerate(speed, yield* Clock.currentTimeMillis, settled(state.tasks))
          state = { ...state, rate: speed.rate }
          yield* draw
        })
      )
    )
    return {
      update: ({ tasks }) => Effect.sync(() => void (state = { ...state, tasks })),
      grow: (isGrowing) => Effect.sync(() => void (state = { ...state, isGrowing })),
      say: (note) => Effect.sync(() => void (state = { ...state, note })),
      above: (line) => Effect.andThen(erase, err.write(`${line}\n`))
    }
  })

const asLines = (err: Screen.Stream): Effect.Effect<Progress, never, Scope.Scope> =>
  Effect.gen(function* () {
    let tasks = none
    yield* Effect.forkScoped(
      Effect.forever(
        Effect.andThen(
          Effect.sleep(logInterval),
          Effect.suspend(() => (tasks.total === 0 ? Effect.void : err.write(`${summary({ tasks }, undefined)}\n`)))
        )
      )
    )
    return {
      update: (suite) => Effect.sync(() => void (tasks = suite.tasks)),
      grow: () => Effect.void,
      say: () => Effect.void,
      above: (line) => err.write(`${line}\n`)
    }
  })

/** Progress on standard error until the scope closes. */
export const make: Effect.Effect<Progress, never, Scope.Scope> = Effect.flatMap(Screen.Screen, ({ err }) =>
  err.isTerminal ? onTerminal(err) : asLines(err)
)
