/** What a person sees of an event and of the states beside it. */
import type { Recorded } from "@muster/domain/Recorded"
import type * as Replay from "@muster/domain/Replay"
import * as LogEvent from "@muster/server/LogEvent"
import type * as Output from "../Output.ts"
import * as Show from "../Show.ts"
import * as Style from "../Style.ts"
import type { Paint } from "../Style.ts"
import { wrap } from "../views/Explanations.ts"

/** One step: an event, and what it led to. */
export interface Step {
  readonly number: number
  readonly event: Recorded
  readonly state: Replay.Summary
}

const states = ["queued", "assigned", "running", "succeeded", "failed", "cancelled"] as const

/** `2 queued, 1 running` of a suite's tasks. */
const counts = ({ tasks }: Replay.SuiteSummary): string =>
  tasks.total === 0
    ? "no tasks"
    : states.flatMap((state) => (tasks[state] === 0 ? [] : [`${Show.count(tasks[state])} ${state}`])).join(", ")

const suiteLine = (suite: Replay.SuiteSummary): string =>
  `${suite.name ?? suite.id} ${suite.paused ? `${suite.state} (paused)` : suite.state}: ${counts(suite)}`

const time = ({ recordedAt }: Recorded): string => new Date(recordedAt).toISOString()

export const view: Output.View<Step> = {
  id: ({ number }) => String(number),
  json: ({ event, number, state }) => ({
    number,
    event: { ...LogEvent.readable(event), recordedAt: time(event) },
    state
  }),
  columns: [
    { header: "EVENT", value: ({ number }) => String(number), align: "right" },
    { header: "RECORDED", value: ({ event }) => time(event), dispensable: 2 },
    { header: "STREAM", value: ({ event }) => event.stream, dispensable: 1 },
    { header: "TYPE", value: ({ event }) => event.type },
    { header: "THEN", value: ({ state }) => state.suites.map(suiteLine).join("; "), shrinks: true }
  ]
}

/** Lines of an event's data that are shown. */
const mostDataLines = 8

const difference = (now: number, before: number): string =>
  now === before ? "" : ` (${now > before ? "+" : ""}${Show.count(now - before)})`

const suitePanel = (
  suite: Replay.SuiteSummary,
  before: Replay.SuiteSummary | undefined,
  paint: Paint
): ReadonlyArray<string> => {
  const name = suite.name === null ? suite.id : `${suite.name} (${suite.id})`
  const changed = before !== undefined && (before.state !== suite.state || before.paused !== suite.paused)
  const state = `${suite.state}${suite.paused ? ", paused" : ""}${changed ? ` (was ${before.state}${before.paused ? ", paused" : ""})` : ""}`
  const numbers = states.map((of) => {
    const text = `${of} ${Show.count(suite.tasks[of])}${difference(suite.tasks[of], before?.tasks[of] ?? 0)}`
    const isChanged = suite.tasks[of] !== (before?.tasks[of] ?? 0)
    return isChanged ? paint(Style.ofState(of) ?? "yellow", text) : suite.tasks[of] === 0 ? paint("dim", text) : text
  })
  const held = suite.held.map(
    ({ epoch, manager, tasks }) => `${manager} session ${epoch}: ${Show.plural(tasks, "task")}`
  )
  return [
    `${paint("bold", "suite")}    ${name}: ${state}`,
    `         ${numbers.join("  ")}`,
    ...(held.length === 0 ? [] : [`         held by ${held.join(", ")}`])
  ]
}

const managerLine = (
  manager: Replay.ManagerSummary,
  before: Replay.ManagerSummary | undefined,
  paint: Paint
): string => {
  const { activity, draining, epoch, id, name, state, suite, workers } = manager
  const parts = [
    `${state}, session ${epoch}`,
    ...(activity === null ? [] : [activity]),
    ...(suite === null ? [] : [`for ${suite}`]),
    ...(draining ? ["draining"] : []),
    Show.plural(workers, "worker")
  ]
  const line = `${paint("bold", "manager")}  ${name} (${id}): ${parts.join(", ")}`
  return JSON.stringify(manager) === JSON.stringify(before) ? line : `${line} ${paint("yellow", "*")}`
}

/** A whole screen. `note`: what went wrong with the last key. */
export const screen = (
  at: {
    readonly number: number
    readonly size: number
    readonly event: Recorded | undefined
    readonly before: Replay.Summary
    readonly after: Replay.Summary
    readonly note: string | undefined
  },
  columns: number,
  paint: Paint
): ReadonlyArray<string> => {
  const { after, before, event, note, number, size } = at
  const width = Math.max(20, columns - 1)
  const head =
    event === undefined
      ? [paint("bold", `before the first of ${Show.plural(size, "event")}`)]
      : [
          `${paint("bold", `event ${number} of ${size}`)}  ${paint("cyan", event.type)}  ${time(event)}`,
          `${event.stream} version ${event.version}, by ${event.metadata.actor}`,
          "",
          ...cut(wrap(Show.line(dataOf(event).slice(0, width * (mostDataLines + 1))), width), mostDataLines)
        ]
  return [
    ...head,
    "",
    ...after.suites.flatMap((suite) =>
      suitePanel(
        suite,
        before.suites.find(({ id }) => id === suite.id),
        paint
      )
    ),
    ...after.managers.map((manager) =>
      managerLine(
        manager,
        before.managers.find(({ id }) => id === manager.id),
        paint
      )
    ),
    `${paint("bold", "pool")}     ${Show.plural(after.pool.suites, "suite")} with work, ${Show.plural(after.pool.managers, "manager")}; ${assigned(after)}`,
    "",
    ...(note === undefined ? [] : [paint("yellow", note)]),
    paint("dim", "n next  b back  g first  G last  t task  e event  @ time  / type  q quit")
  ]
}

const assigned = ({ pool }: Replay.Summary): string =>
  pool.assigned.length === 0
    ? "nothing assigned"
    : pool.assigned
        .map(({ manager, releasing, suite }) => `${manager} ${releasing ? "gives back" : "runs"} ${suite}`)
        .join(", ")

const dataOf = (event: Recorded): string =>
  JSON.stringify(LogEvent.readable(event).data).replaceAll(/([,:])(?=["[{])/g, "$1 ")

const cut = (lines: ReadonlyArray<string>, most: number): ReadonlyArray<string> =>
  lines.length <= most ? lines : [...lines.slice(0, most), "…"]
