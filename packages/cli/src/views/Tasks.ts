/** How tasks are shown. */
import type { TaskDetail, TaskView } from "@muster/domain/Suite/View"
import type { View } from "../Output.ts"
import * as Show from "../Show.ts"
import type { Paint } from "../Style.ts"
import * as Table from "../Table.ts"

export const view: View<TaskView> = {
  id: ({ id }) => id,
  columns: [
    { header: "ID", value: ({ id }) => id },
    { header: "STATE", value: ({ state }) => state, isState: true },
    { header: "ATTEMPTS", value: ({ attempts }) => String(attempts), align: "right", dispensable: 2 },
    { header: "EXIT", value: Show.ending },
    { header: "TIME", value: ({ duration }) => Show.duration(duration), align: "right" },
    { header: "STARTED", value: ({ startedAt }) => Show.instant(startedAt), dispensable: 4 },
    { header: "MANAGER", value: ({ manager }) => manager ?? "", dispensable: 5 },
    { header: "LABELS", value: ({ labels }) => labels.join(","), shrinks: true, dispensable: 6 },
    { header: "MESSAGE", value: ({ message }) => message ?? "", shrinks: true, dispensable: 3 }
  ]
}

const isBare = /^[\w@%+=:,./-]+$/

/** An argument as a shell would take it. */
const quote = (text: string): string => (isBare.test(text) ? text : `'${text.replaceAll("'", String.raw`'\''`)}'`)

/** The part of a task that says what it does. */
type Deed =
  | { readonly program: string; readonly args?: ReadonlyArray<string> }
  | { readonly handler: string; readonly input?: unknown }

/** What a task does, as one line that could be typed. */
export const command = (spec: Deed): string =>
  "program" in spec
    ? [spec.program, ...(spec.args ?? [])].map(quote).join(" ")
    : `${spec.handler}(${spec.input === undefined ? "" : JSON.stringify(spec.input)})`

const block = (title: string, text: string, paint: Paint): ReadonlyArray<string> =>
  text === "" ? [] : ["", paint("bold", title), text.replace(/\n$/, "")]

const attemptColumns: ReadonlyArray<Table.Column<TaskDetail["attempts"][number]>> = [
  { header: "ATTEMPT", value: ({ number }) => String(number), align: "right" },
  { header: "OUTCOME", value: ({ outcome }) => outcome ?? "running", isState: true },
  { header: "EXIT", value: (attempt) => attempt.signal ?? String(attempt.exitCode ?? "") },
  { header: "TIME", value: ({ duration }) => Show.duration(duration), align: "right" },
  { header: "MEMORY", value: ({ peakMemory }) => Show.bytes(peakMemory), align: "right", dispensable: 2 },
  { header: "STARTED", value: ({ startedAt }) => Show.instant(startedAt), dispensable: 3 },
  { header: "MANAGER", value: ({ manager }) => manager ?? "", dispensable: 4 },
  { header: "MESSAGE", value: ({ message }) => message ?? "", shrinks: true, dispensable: 5 }
]

/** A task with its attempts and the end of its output. */
export const details =
  (width: number) =>
  (task: TaskDetail, paint: Paint): ReadonlyArray<string> => {
    const fields = [
      ["id", task.id],
      ["state", task.cancelRequested && task.state === "running" ? `${task.state} (cancelling)` : task.state],
      ["does", Show.line(command(task.spec))],
      ["labels", task.labels.join(", ")],
      ["submitted", Show.instant(task.submittedAt)],
      ["runs again", Show.instant(task.retryAt)],
      ["message", task.message ?? ""],
      ["output", task.output === null ? "" : JSON.stringify(task.output)]
    ] as const
    const attempts =
      task.attempts.length === 0 ? [] : ["", ...Table.render(attemptColumns, task.attempts, { width, paint })]
    return [
      ...Table.renderFields(
        fields.filter(([, value]) => value !== ""),
        paint
      ),
      ...attempts,
      ...block("stdout (end)", task.stdout, paint),
      ...block("stderr (end)", task.stderr, paint)
    ]
  }
