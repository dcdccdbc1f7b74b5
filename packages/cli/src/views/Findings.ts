/** How findings are shown. */
import type { Finding, Severity } from "@muster/domain/Doctor/Finding"
import type { View } from "../Output.ts"
import * as Show from "../Show.ts"
import type { Paint } from "../Style.ts"

export const findings: View<Finding> = {
  id: ({ check }) => check,
  columns: [
    { header: "SEVERITY", value: ({ severity }) => severity },
    { header: "CHECK", value: ({ check }) => check },
    { header: "SUBJECT", value: ({ subject }) => subject },
    { header: "WHAT", value: ({ what }) => what },
    { header: "NEXT", value: ({ next }) => next ?? "" }
  ]
}

const colors = { ok: "green", warning: "yellow", error: "red" } as const

const widest = "warning".length

/** For people: a line for what it is, and where there is something to do one for what. Never cut. */
export const lines = (found: ReadonlyArray<Finding>, paint: Paint): ReadonlyArray<string> => {
  const text: Array<string> = []
  for (const [subject, ofSubject] of Map.groupBy(found, (finding) => finding.subject)) {
    text.push(paint("bold", Show.line(subject)))
    for (const { next, severity, what } of ofSubject) {
      text.push(`  ${paint(colors[severity], severity.padEnd(widest))}  ${Show.line(what)}`)
      if (next !== null) text.push(`  ${" ".repeat(widest)}  ${paint("dim", "->")} ${Show.line(next)}`)
    }
  }
  return text
}

export const countOf = (found: ReadonlyArray<Finding>, severity: Severity): number =>
  found.filter((finding) => finding.severity === severity).length

/** `2 errors, 1 warning`. */
export const summary = (found: ReadonlyArray<Finding>): string =>
  `${Show.plural(countOf(found, "error"), "error")}, ${Show.plural(countOf(found, "warning"), "warning")}`
