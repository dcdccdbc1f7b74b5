import { Effect, Option, Stream } from "effect"
import { Command, Flag } from "effect/cli"
import type { Finding } from "@muster/domain/Doctor/Finding"
import { Environment } from "../Environment.ts"
import * as Failure from "../Failure.ts"
import * as Output from "../Output.ts"
import * as Screen from "../Screen.ts"
import * as Session from "../Session.ts"
import * as Show from "../Show.ts"
import * as Style from "../Style.ts"
import * as Findings from "../views/Findings.ts"

const params = {
  databaseUrl: Flag.String("database-url").pipe(
    Flag.withMetavar("URL"),
    Flag.withDescription(
      "The coordinators' database (default: MUSTER_DATABASE_URL, the profile; else a coordinator looks at it)"
    ),
    Flag.optional
  ),
  full: Flag.Boolean("full").pipe(
    Flag.withDescription("Compare read models with all events, not with a sample; takes as long as it takes"),
    Flag.withDefault(false)
  ),
  strict: Flag.Boolean("strict").pipe(Flag.withDescription("End 1 for warnings too"), Flag.withDefault(false))
}

const print = Effect.fnUntraced(function* (format: Output.Format, found: ReadonlyArray<Finding>) {
  if (format !== "table") return yield* Output.list(format, Findings.findings, Stream.fromIterable(found))
  const { out } = yield* Screen.Screen
  yield* out.write(`${Findings.lines(found, Style.paint(out)).join("\n")}\n`)
})

const handler = Effect.fn("doctor")(function* ({
  databaseUrl,
  full,
  strict
}: Command.Command.Config.Infer<typeof params>) {
  const environment = yield* Environment
  const { problem, settings } = yield* Session.settingsAnyway
  const database = Option.match(databaseUrl, {
    onNone: () => settings.databaseUrl,
    onSome: (value) => ({ value, origin: "flag" as const, detail: "--database-url" })
  })
  const Examination = yield* Effect.promise(() => import("../doctor/Examination.ts"))
  const found = yield* Examination.examine({
    settings: { ...settings, databaseUrl: database },
    profileProblem: problem,
    environment,
    full
  })
  yield* print(settings.output.value, found)

  const errors = Findings.countOf(found, "error")
  const warnings = Findings.countOf(found, "warning")
  const looked = `${Show.plural(found.length, "thing")} looked at`
  if (errors > 0 || (strict && warnings > 0)) {
    return yield* Failure.failed(`${looked}: ${Findings.summary(found)}`, "each says above what to do about it")
  }
  yield* Screen.note(warnings > 0 ? `${looked}: ${Findings.summary(found)}` : `${looked}: all well`)
})

export const doctor = Command.make("doctor", params, handler).pipe(
  Command.withDescription(
    [
      "Look for what is wrong, or may soon be: settings and files of this machine, coordinators and",
      "  their clocks and disks, the database and what makes its commits durable, read models against",
      "  the events, leases and transactions that are stuck. Each finding says what to do.",
      "  Changes nothing. Ends 1 when there is an error, with --strict also for warnings."
    ].join("\n")
  ),
  Command.withShortDescription("Look for what is wrong, and say what to do about it")
)
