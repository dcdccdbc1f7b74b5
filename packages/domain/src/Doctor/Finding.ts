/**
 * What `muster doctor` says: one finding for each thing that it looked at. Facts are gathered elsewhere; the modules beside
 * this one judge them and do nothing else.
 */
import { Schema } from "effect"

/** `warning`: works now, and may not for long. `error`: something is lost, wrong or standing still, or would be. */
export const Severity = Schema.Literals(["ok", "warning", "error"])
export type Severity = typeof Severity.Type

export const Finding = Schema.Struct({
  /** Stable name of what was checked, such as `database.fsync`. */
  check: Schema.String,
  /** What was looked at: `database`, `this machine`, a coordinator, a file. */
  subject: Schema.String,
  severity: Severity,
  /** One line: what it is. */
  what: Schema.String,
  /** One line: what to do next; null when there is nothing to do. */
  next: Schema.NullOr(Schema.String)
})
export type Finding = typeof Finding.Type

/** Everything that was looked at. */
export const Report = Schema.Struct({ findings: Schema.Array(Finding) })
export type Report = typeof Report.Type

/** Says findings about one thing. */
export interface About {
  readonly ok: (check: string, what: string) => Finding
  readonly warning: (check: string, what: string, next: string) => Finding
  readonly error: (check: string, what: string, next: string) => Finding
}

export const about = (subject: string): About => ({
  ok: (check, what) => ({ check, subject, severity: "ok", what, next: null }),
  warning: (check, what, next) => ({ check, subject, severity: "warning", what, next }),
  error: (check, what, next) => ({ check, subject, severity: "error", what, next })
})
