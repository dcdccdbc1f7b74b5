/** How suites are shown. */
import * as Millis from "@muster/domain/Millis"
import { leaseOf } from "@muster/domain/Suite/Spec"
import type { SuiteSpec } from "@muster/domain/Suite/Spec"
import type { SuiteView } from "@muster/domain/Suite/View"
import type { View } from "../Output.ts"
import * as Show from "../Show.ts"
import type { Paint } from "../Style.ts"
import * as Style from "../Style.ts"

const stateOf = ({ paused, state }: SuiteView) => (paused ? `${state} (paused)` : state)

export const view: View<SuiteView> = {
  id: ({ id }) => id,
  columns: [
    { header: "ID", value: ({ id }) => id },
    { header: "NAME", value: ({ name }) => name ?? "", shrinks: true },
    { header: "STATE", value: stateOf, isState: true },
    { header: "TASKS", value: ({ tasks }) => Show.count(tasks.total), align: "right" },
    { header: "PENDING", value: ({ tasks }) => Show.count(tasks.pending), align: "right" },
    { header: "RUNNING", value: ({ tasks }) => Show.count(tasks.running), align: "right", dispensable: 4 },
    { header: "FAILED", value: ({ tasks }) => Show.count(tasks.failed), align: "right" },
    { header: "TAGS", value: ({ tags }) => tags.join(","), shrinks: true, dispensable: 5 },
    { header: "LABELS", value: ({ labels }) => labels.join(","), shrinks: true, dispensable: 6 },
    { header: "CREATED", value: ({ createdAt }) => Show.instant(createdAt), dispensable: 2 }
  ]
}

const countNames = ["queued", "assigned", "running", "succeeded", "failed", "cancelled"] as const

/** `3 queued, 1 running, 8 succeeded`: what there is of each. */
export const counts = ({ tasks }: Pick<SuiteView, "tasks">, paint: Paint = Style.plain): string =>
  countNames
    .filter((name) => tasks[name] > 0)
    .map((name) => {
      const style = Style.ofState(name)
      const text = `${Show.count(tasks[name])} ${name}`
      return style === undefined ? text : paint(style, text)
    })
    .join(", ")

/** A suite on one line, as following it shows it. */
export const line = (suite: SuiteView, paint: Paint = Style.plain): string => {
  const of = counts(suite, paint)
  return `${suite.id}  ${stateOf(suite)}  ${Show.plural(suite.tasks.total, "task")}${of === "" ? "" : `: ${of}`}`
}

type Field = readonly [name: string, value: string]

/** What becomes of tasks on a machine that is cut off, where that is not the usual. */
const onDisconnect = (spec: SuiteSpec): string => {
  const lease = leaseOf(spec)
  return lease === undefined ? "" : `stop, before a lease of ${Millis.format(lease.duration)} is over`
}

/** The fields of a suite that say something. */
export const fields = (suite: SuiteView & { readonly spec?: SuiteSpec }, paint: Paint): ReadonlyArray<Field> => {
  const style = Style.ofState(suite.state)
  const all: ReadonlyArray<Field> = [
    ["id", suite.id],
    ["name", suite.name ?? ""],
    ["description", suite.description ?? ""],
    ["state", style === undefined ? stateOf(suite) : paint(style, stateOf(suite))],
    ["tasks", `${Show.count(suite.tasks.total)}${suite.tasks.total === 0 ? "" : ` (${counts(suite, paint)})`}`],
    ["priority", suite.priority === 0 ? "" : String(suite.priority)],
    ["workers", suite.workers === null ? "" : `${suite.workers} on each manager`],
    ["max fails", suite.maxFails === null ? "" : Show.count(suite.maxFails)],
    ["on disconnect", suite.spec === undefined ? "" : onDisconnect(suite.spec)],
    ["tags", suite.tags.join(", ")],
    ["labels", suite.labels.join(", ")],
    ["created", Show.instant(suite.createdAt)],
    ["completed", Show.instant(suite.completedAt)]
  ]
  return all.filter(([, value]) => value !== "")
}
