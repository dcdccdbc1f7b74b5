import { Effect, Option, Stream } from "effect"
import { Argument, Command, Flag } from "effect/cli"
import * as ExitCode from "../ExitCode.ts"
import * as Failure from "../Failure.ts"
import * as Output from "../Output.ts"
import * as Params from "../Params.ts"
import * as Operands from "../run/Operands.ts"
import * as Replacement from "../run/Replacement.ts"
import * as Tasks from "../run/Tasks.ts"
import * as Screen from "../Screen.ts"
import * as Session from "../Session.ts"
import * as SuiteFlags from "../SuiteFlags.ts"
import * as Suites from "../views/Suites.ts"
import * as TaskViews from "../views/Tasks.ts"
import * as Waiting from "../Waiting.ts"

const params = {
  name: Params.givenName("Name of the suite (default: the program)").pipe(Flag.optional),
  ...SuiteFlags.params,
  eachLine: Flag.Boolean("each-line").pipe(
    Flag.withDescription("A task for each line of standard input, submitted while it is read"),
    Flag.withDefault(false)
  ),
  handler: Flag.String("handler").pipe(
    Flag.withMetavar("NAME"),
    Flag.withDescription("Run a handler instead of a program; inputs are JSON"),
    Flag.optional
  ),
  print: Flag.Boolean("print").pipe(
    Flag.withDescription("Print the standard output of each task when it has ended"),
    Flag.withDefault(false)
  ),
  detach: Flag.Boolean("detach").pipe(
    Flag.withAlias("d"),
    Flag.withDescription("Submit and leave; the suite goes on by itself"),
    Flag.withDefault(false)
  ),
  dryRun: Flag.Boolean("dry-run").pipe(
    Flag.withDescription("Print the commands instead of running them"),
    Flag.withDefault(false)
  ),
  operands: Argument.String("program-and-inputs").pipe(
    Argument.withDescription("PROGRAM ARG {} ::: INPUT…; put `--` before it"),
    Argument.variadic()
  )
}

const loopback = new Set(["127.0.0.1", "localhost", "[::1]"])

/** On this machine relative paths should mean what they mean in the shell; elsewhere this directory need not exist. */
const workingDirectory = (url: string): { readonly cwd?: string } =>
  URL.canParse(url) && loopback.has(new URL(url).hostname) ? { cwd: process.cwd() } : {}

const handler = Effect.fn("run")(function* (values: Command.Command.Config.Infer<typeof params>) {
  const settings = yield* Session.settings
  const operands = Operands.split(values.operands)
  const template = Replacement.compile(operands.command)
  const handlerName = Option.getOrUndefined(values.handler)
  yield* Operands.check(operands, { ...template, eachLine: values.eachLine, handler: handlerName !== undefined })
  const source = { operands, template, eachLine: values.eachLine, handler: handlerName }
  yield* Tasks.check(source)
  const tasks = Tasks.make(source)
  if (values.dryRun) {
    return yield* Stream.runForEach(tasks, (task) => Screen.print(TaskViews.command(task)))
  }
  const fromFlags = SuiteFlags.toSpec(values)
  const spec = {
    ...fromFlags,
    name: Option.getOrElse(values.name, () => handlerName ?? operands.command[0] ?? "run").slice(0, 255),
    defaults: { ...(handlerName === undefined ? workingDirectory(settings.url.value) : {}), ...fromFlags.defaults }
  }
  const Run = yield* Effect.promise(() => import("../run/Run.ts"))
  const show = (suite: Parameters<typeof Suites.fields>[0]) =>
    settings.output.value === "table" ? Effect.void : Output.one(settings.output.value, Suites.view, suite, () => [])
  const runOptions = { spec, tasks, print: values.print }
  yield* Session.use((client) =>
    Effect.gen(function* () {
      if (values.detach) {
        const suite = yield* Run.detach(client, runOptions)
        return yield* settings.output.value === "table" ? Screen.print(suite.id) : show(suite)
      }
      const { suite, wasInterrupted } = yield* Run.run(client, runOptions)
      yield* show(suite)
      if (wasInterrupted) return yield* new Failure.Ended({ exitCode: ExitCode.interrupted })
      yield* Waiting.endBy(suite)
    })
  )
})

export const run = Command.make("run", params, handler).pipe(
  Command.withDescription(
    [
      "Run a command for each input and wait for the end: 0 when all succeeded, else 5.",
      "",
      "  Inputs stand after `:::`, or come line by line with --each-line. Replacement",
      "  strings: {} {.} {/} {//} {/.} {#}, and {1} {2} with several `:::` (all",
      "  combinations). Without any, the input is appended.",
      "",
      "  Ctrl-C cancels the suite: what runs finishes, a second Ctrl-C ends it."
    ].join("\n")
  ),
  Command.withShortDescription("Run a command for each input and wait for the end"),
  Command.withExamples([
    { command: "muster run -- sha256sum {} ::: *.iso", description: "One task per file" },
    {
      command: "find . -name '*.png' | muster run --each-line -- convert {} {.}.webp",
      description: "One task per line"
    },
    { command: "muster run --print -- echo {1}-{2} ::: a b ::: 1 2", description: "All combinations" }
  ])
)
