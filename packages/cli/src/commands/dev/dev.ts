import { Deferred, Effect, Option } from "effect"
import { Command, Flag } from "effect/cli"
import { existsSync } from "node:fs"
import * as Os from "node:os"
import { resolve } from "node:path"
import * as DataDirectory from "../../dev/DataDirectory.ts"
import * as Describe from "../../dev/Describe.ts"
import * as Detached from "../../dev/Detached.ts"
import * as DevState from "../../dev/DevState.ts"
import { Environment } from "../../Environment.ts"
import * as ExitCode from "../../ExitCode.ts"
import * as Failure from "../../Failure.ts"
import * as Output from "../../Output.ts"
import * as Params from "../../Params.ts"
import * as Screen from "../../Screen.ts"
import * as Session from "../../Session.ts"
import * as Signals from "../../Signals.ts"
import * as Style from "../../Style.ts"
import * as Flags from "./Flags.ts"
import { status } from "./status.ts"
import { stop } from "./stop.ts"

const defaultPort = 7117

const params = {
  port: Params.wholeNumber("port", "Port of the coordinator (default 7117; 0 takes any that is free)", 0, 65_535).pipe(
    Flag.withDefault(defaultPort)
  ),
  workers: Params.wholeNumber("workers", "Worker processes (default: one for each processor)", 1, 256).pipe(
    Flag.withDefault(Math.min(256, Os.availableParallelism()))
  ),
  handlers: Flag.String("handlers").pipe(
    Flag.withMetavar("FILE"),
    Flag.withDescription("Module with handlers for the workers"),
    Flag.optional
  ),
  import: Flag.String("import").pipe(
    Flag.withMetavar("FILE"),
    Flag.withDescription("Open a bundle of `muster event export` for reading, in a new data directory"),
    Flag.optional
  ),
  detach: Flag.Boolean("detach").pipe(
    Flag.withAlias("d"),
    Flag.withDescription("Return when everything is ready, and leave it running"),
    Flag.withDefault(false)
  )
}

type Values = Command.Command.Config.Infer<typeof params>

const printInfo = Effect.fnUntraced(function* (info: DevState.Info) {
  const format = yield* Session.format
  yield* Output.one(format, { id: ({ pid }) => String(pid) }, info, (shown, paint) => [
    ...Describe.status(shown, paint),
    "",
    "Try:",
    ...Describe.suggestions(shown, paint)
  ])
})

/** Starts everything and keeps it until a signal comes. */
const runHere = Effect.fnUntraced(function* (values: Values, dataDir: string, parent: Detached.Parent) {
  const { err } = yield* Screen.Screen
  const paint = Style.paint(err)
  const stopping = yield* Deferred.make<void>()
  let signals = 0
  yield* Signals.listen(() => {
    signals++
    if (signals > 1) process.exit(ExitCode.interrupted)
    Deferred.doneUnsafe(stopping, Effect.void)
  })
  const Dev = yield* Effect.promise(() => import("../../dev/Dev.ts"))
  const starting = Dev.start({
    dataDir,
    host: "127.0.0.1",
    port: values.port,
    workers: values.workers,
    handlers: Option.getOrUndefined(Option.map(values.handlers, (file) => resolve(file))),
    databaseUrl: (yield* Environment)["MUSTER_DATABASE_URL"] || undefined,
    say: (line) => Screen.note(`${paint("yellow", "muster dev:")} ${line}`)
  })
  // A signal during the start ends it: what has been started by then goes down with the scope.
  const started = yield* Effect.raceFirst(Effect.asSome(starting), Effect.as(Deferred.await(stopping), Option.none()))
  if (Option.isNone(started)) return
  if (parent.isThere) parent.ready(started.value)
  else {
    yield* printInfo(started.value)
    if (err.isTerminal) yield* Screen.note("\nCtrl-C stops all of it.")
  }
  yield* Deferred.await(stopping)
  yield* Screen.note("stopping; running tasks may finish for a few seconds, Ctrl-C again does not wait")
})

const handler = Effect.fn("dev")(function* (values: Values) {
  const dataDir = yield* Flags.dataDirectory
  const running = yield* DevState.read(dataDir)
  if (Option.isSome(running) && running.value.ready) {
    const Dev = yield* Effect.promise(() => import("../../dev/Dev.ts"))
    if (Option.isSome(values.import)) return yield* DataDirectory.inUse(dataDir)
    yield* Screen.note("muster dev is running already")
    return yield* printInfo(yield* Dev.info(running.value))
  }
  if (Option.isSome(values.handlers) && !existsSync(values.handlers.value)) {
    return yield* Failure.usage(`--handlers is ${JSON.stringify(values.handlers.value)}; allowed: a file that exists`)
  }
  // In the background it was imported by who started it.
  if (Option.isSome(values.import) && !Detached.isInBackground()) {
    const Import = yield* Effect.promise(() => import("../../dev/Import.ts"))
    yield* Import.into(dataDir, resolve(values.import.value))
  }
  if (values.detach) {
    const directory = yield* DataDirectory.prepare(dataDir)
    return yield* printInfo(yield* Detached.start(directory))
  }
  const parent = Detached.parent()
  yield* Effect.scoped(runHere(values, dataDir, parent)).pipe(
    Effect.tapError((error) => Effect.sync(() => parent.failed(Failure.describe(error))))
  )
})

export const dev = Command.make("dev", params, handler).pipe(
  Command.withDescription(
    [
      "Run all of Muster on this machine: Postgres (unless MUSTER_DATABASE_URL names one),",
      "  a coordinator and a manager with its workers, each a process of its own that is",
      "  started again when it ends. Other commands find it without flags."
    ].join("\n")
  ),
  Command.withShortDescription("Run all of Muster on this machine"),
  Command.withSubcommands([stop, status]),
  Command.withExamples([
    { command: "muster dev", description: "Until Ctrl-C" },
    { command: "muster dev --detach --workers 4", description: "In the background" },
    {
      command: "muster dev --import night.jsonl.gz --data-dir ./night",
      description: "Look at what happened elsewhere"
    },
    { command: "muster dev --handlers ./tasks.ts", description: "With handlers" }
  ])
)
