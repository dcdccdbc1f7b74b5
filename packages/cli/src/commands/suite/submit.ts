import { Effect, Option, Schema, Stream } from "effect"
import { Argument, Command, Flag } from "effect/cli"
import { SuiteId } from "@muster/domain/Suite/Id"
import type { SuiteInput, TaskInput } from "@muster/client/MusterClient"
import * as Failure from "../../Failure.ts"
import * as Params from "../../Params.ts"
import * as Lines from "../../run/Lines.ts"
import * as Output from "../../Output.ts"
import * as Screen from "../../Screen.ts"
import * as Session from "../../Session.ts"
import * as Show from "../../Show.ts"
import * as SuiteFlags from "../../SuiteFlags.ts"
import * as Table from "../../Table.ts"
import * as TaskFile from "../../TaskFile.ts"
import * as Suites from "../../views/Suites.ts"
import * as Waiting from "../../Waiting.ts"

const params = {
  file: Argument.String("file").pipe(Argument.withDescription("JSON, JSON lines or YAML; - for standard input")),
  suite: Flag.String("suite").pipe(
    Flag.withMetavar("ID"),
    Flag.withDescription("Add to this suite (default: make one, and close it afterwards)"),
    Flag.optional
  ),
  format: Flag.Literals("format", TaskFile.formats).pipe(
    Flag.withDescription("Format of the file (default: by its name, or by how it begins)"),
    Flag.optional
  ),
  open: Flag.Boolean("open").pipe(
    Flag.withDescription("Leave a new suite open for more tasks"),
    Flag.withDefault(false)
  ),
  name: Params.givenName("Name of a new suite").pipe(Flag.optional),
  ...SuiteFlags.params,
  wait: Params.wait,
  waitTimeout: Params.waitTimeout
}

type Values = Command.Command.Config.Infer<typeof params>

const isSuiteId = Schema.is(SuiteId)

/** The tasks, checked as a whole where they have an end; and the suite that the file describes. */
const load = Effect.fnUntraced(function* ({ file, format }: Values) {
  const chosen = Option.getOrUndefined(format)
  if (file === "-" && chosen === "jsonl") {
    return { suite: undefined, tasks: TaskFile.lines(Lines.standardInput), count: undefined }
  }
  const { suite, tasks } = yield* TaskFile.read(file, chosen)
  const Input = yield* Effect.promise(() => import("@muster/client/Input"))
  yield* Effect.fromResult(Input.decodeTasks(tasks, 0))
  if (tasks.length === 0) return yield* Failure.usage(`${file} has no tasks`)
  return { suite, tasks: Stream.fromIterable(tasks), count: tasks.length }
})

const checkSuite = Effect.fnUntraced(function* (spec: SuiteInput) {
  const Input = yield* Effect.promise(() => import("@muster/client/Input"))
  const { SuiteSpec } = yield* Effect.promise(() => import("@muster/domain/Suite/Spec"))
  return yield* Input.decode(SuiteSpec, "suite")(spec)
})

const handler = Effect.fn("suite.submit")(function* (values: Values) {
  const format = yield* Session.format
  const { suite: described, tasks } = yield* load(values)
  const given = Option.getOrUndefined(values.suite)
  if (given !== undefined && !isSuiteId(given)) return yield* Params.noSuite(given)
  if (given !== undefined && described !== undefined) {
    return yield* Failure.usage(
      `${values.file} describes a suite, and --suite names one`,
      "leave out one of them: tasks go to a suite that exists or to a new one"
    )
  }
  // Flags win over the file: they are closer to the hand.
  const flags = SuiteFlags.toSpec(values)
  const fromFile = described as SuiteInput | undefined // checked below
  const spec = {
    ...fromFile,
    ...flags,
    ...(Option.isSome(values.name) ? { name: values.name.value } : {}),
    ...(fromFile?.defaults !== undefined || flags.defaults !== undefined
      ? { defaults: { ...fromFile?.defaults, ...flags.defaults } }
      : {})
  }
  yield* checkSuite(spec)
  yield* Session.use((client) =>
    Effect.gen(function* () {
      const id = given ?? (yield* client.createSuite(spec)).id
      const submission = client.submit(id, tasks as Stream.Stream<TaskInput, Failure.CommandFailed>) // it checks each
      const submitted = yield* submission.pipe(
        Effect.tapError(() =>
          given === undefined
            ? Effect.ignore(client.cancelSuite(id, { mode: "force", reason: "the submission failed" }))
            : Effect.void
        )
      )
      if (given === undefined && !values.open) yield* client.closeSuite(id)
      const suite = values.wait
        ? yield* Waiting.untilSettled(client, id, values.waitTimeout)
        : yield* client.getSuite(id)
      yield* Screen.note(`${Show.plural(submitted.count, "task")} submitted to suite ${id}`)
      yield* Output.one(format, { id: () => id }, { ...suite, submitted }, (item, paint) =>
        Table.renderFields(Suites.fields(item, paint), paint)
      )
      if (values.wait) yield* Waiting.endBy(suite)
    })
  )
})

export const submit = Command.make("submit", params, handler).pipe(
  Command.withDescription(
    [
      "Submit the tasks of a file: a list of tasks, one task, or {suite, tasks}.",
      "",
      "  A file is checked as a whole before anything is sent. JSON lines from standard",
      "  input (- with --format jsonl) are sent as they come."
    ].join("\n")
  ),
  Command.withShortDescription("Submit the tasks of a file to a new suite, or to one that is there"),
  Command.withExamples([
    { command: "muster suite submit tasks.yaml --wait", description: "Run the tasks of a file" },
    {
      command: "producer | muster suite submit - --format jsonl --suite 06a1b2c3d4e5f6g7",
      description: "A live stream"
    }
  ])
)
