/** How explanations are shown: the answer in sentences first, then what they were drawn from. */
import { CliOutput } from "effect/cli"
import type { Happening, TaskExplanation } from "@muster/domain/Explanation/View"
import * as Show from "../Show.ts"
import * as Style from "../Style.ts"
import type { Paint } from "../Style.ts"
import * as Table from "../Table.ts"
import * as Tasks from "./Tasks.ts"

/** Lines of text wider than this are tiresome to read. */
const mostColumns = 100

/** Events of a task's history that are shown: the latest. JSON has all. */
const mostEvents = 20

/** Breaks text at spaces, with what comes after the first line moved in. */
export const wrap = (text: string, width: number, indent = ""): ReadonlyArray<string> => {
  const lines: Array<string> = []
  let line = ""
  for (const word of text.split(" ")) {
    const longer = line === "" ? word : `${line} ${word}`
    if (line !== "" && CliOutput.displayWidth(longer) > width) {
      lines.push(line)
      line = indent + word
    } else line = longer
  }
  return [...lines, line]
}

/** Managers by their names: `manager:<id>` is how the log knows them. */
const actorIn =
  ({ managers }: TaskExplanation) =>
  (actor: string): string => {
    const known = managers.find(({ id }) => actor === `manager:${id}`)
    return known?.name ?? actor
  }

const historyColumns = (explanation: TaskExplanation): ReadonlyArray<Table.Column<Happening>> => [
  { header: "WHEN", value: ({ at }) => at },
  { header: "WHAT", value: ({ what }) => what, shrinks: true },
  { header: "BY", value: ({ actor }) => actorIn(explanation)(actor), dispensable: 1 },
  { header: "EVENT", value: ({ type }) => type, dispensable: 3 },
  { header: "VERSION", value: ({ version }) => String(version), align: "right", dispensable: 2 }
]

const output = (title: string, text: string, paint: Paint): ReadonlyArray<string> =>
  text === "" ? [] : ["", paint("bold", title), text.replace(/\n$/, "")]

export const details =
  (columns: number) =>
  (explanation: TaskExplanation, paint: Paint): ReadonlyArray<string> => {
    const { advice, at, history, id, sentences, spec, state, submitted, suite } = explanation
    const width = Math.min(columns, mostColumns)
    const style = Style.ofState(state)
    const shown = history.slice(-mostEvents)
    const last = explanation.attempts.at(-1)
    const name = suite.name === null ? suite.id : `${suite.id} (${suite.name})`
    return [
      `${paint("bold", `task ${id}`)} is ${style === undefined ? state : paint(style, state)} at ${Show.instant(at)}`,
      "",
      ...sentences.flatMap((sentence) => wrap(Show.line(sentence), width, sentence.startsWith("- ") ? "  " : "")),
      ...(advice === null ? [] : [`${paint("dim", "What helps:")} ${advice}`]),
      "",
      ...Table.renderFields(
        [
          ["does", Show.line(Tasks.command(spec))],
          ["submitted", `${Show.instant(submitted.at)} by ${submitted.actor}`],
          ["suite", `${name}, ${suite.paused ? "paused" : suite.state}: ${counts(explanation)}`]
        ],
        paint
      ),
      "",
      ...Table.render(historyColumns(explanation), shown, { width: columns, paint }),
      ...(shown.length < history.length
        ? [paint("dim", `(${Show.plural(history.length - shown.length, "earlier event")}: -o json shows all)`)]
        : []),
      ...(last === undefined
        ? []
        : [...output("stdout (end)", last.stdout, paint), ...output("stderr (end)", last.stderr, paint)])
    ]
  }

const counts = ({ suite: { tasks } }: TaskExplanation): string =>
  [
    Show.plural(tasks.total, "task"),
    ...(["queued", "assigned", "running", "succeeded", "failed", "cancelled"] as const).flatMap((state) =>
      tasks[state] === 0 ? [] : [`${Show.count(tasks[state])} ${state}`]
    )
  ].join(", ")
