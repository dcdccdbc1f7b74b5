import { Effect, Logger, Option, Redacted } from "effect"
import { Command, Flag } from "effect/cli"
import * as ParentPipe from "../../dev/ParentPipe.ts"
import * as ExitCode from "../../ExitCode.ts"
import * as Failure from "../../Failure.ts"
import * as Params from "../../Params.ts"
import * as Programs from "../../Programs.ts"
import * as Screen from "../../Screen.ts"

const params = {
  tlsCert: Params.file(
    "tls-cert",
    "This manager's certificate, for coordinators that ask for one (default: MUSTER_TLS_CERT)"
  ),
  tlsKey: Params.file("tls-key", "Its private key (default: MUSTER_TLS_KEY)"),
  tags: Params.tags("tags", "What this machine is good for: suites with tags go to machines that have them all"),
  labels: Params.tags("labels", "Words to find the machine by"),
  workers: Params.wholeNumber(
    "workers",
    "Workers when a suite does not say (default: MUSTER_MANAGER_WORKERS, one for each processor)",
    1,
    256
  ).pipe(Flag.optional),
  name: Params.givenName("Name for people (default: MUSTER_MANAGER_NAME, the host's)").pipe(Flag.optional),
  directory: Params.managerDirectory,
  handlers: Flag.String("handlers").pipe(
    Flag.withMetavar("FILE"),
    Flag.withDescription("Module with handlers for the workers (default: MUSTER_HANDLERS)"),
    Flag.optional
  )
}

type Values = Command.Command.Config.Infer<typeof params>

const given = <Key extends string, A>(key: Key, value: Option.Option<A>): { readonly [K in Key]?: A } =>
  Option.isSome(value) ? ({ [key]: value.value } as { readonly [K in Key]: A }) : {} // TypeScript widens a computed key to string

const list = (words: ReadonlyArray<string>) => (words.length === 0 ? Option.none() : Option.some(words))

/** What flags say; the rest comes from the environment. */
const settings = Effect.fnUntraced(function* (values: Values) {
  const { directory, handlers, labels, name, tags, tlsCert, tlsKey, workers } = values
  const url = yield* Params.url
  const tlsCa = yield* Params.tlsCa
  const token = yield* Params.token
  return {
    workerCommand: Programs.worker(),
    ...given(
      "urls",
      Option.map(url, (text) => text.split(","))
    ),
    ...given(
      "token",
      Option.map(token, (text) => Redacted.make(text))
    ),
    ...given("tlsCa", tlsCa),
    ...given("tlsCert", tlsCert),
    ...given("tlsKey", tlsKey),
    ...given("tags", list(tags)),
    ...given("labels", list(labels)),
    ...given("workers", workers),
    ...given("name", name),
    ...given("directory", directory),
    ...given("handlers", handlers)
  }
})

/** What a supervisor may tell apart: `manager start` itself knows only the exit codes of this command. */
const exitCodeOf = (tag: string): number => (tag === "TokenRefused" ? ExitCode.notAuthorised : ExitCode.error)

const handler = Effect.fn("manager.start")(function* (values: Values) {
  const known = yield* settings(values)
  const Manager = yield* Effect.promise(() => import("@muster/manager/Manager"))
  yield* ParentPipe.follow
  yield* Manager.run(known, {
    onReady: ({ managerId, pid }) => Screen.note(`manager ${managerId} (process ${pid}) is ready`)
  }).pipe(
    Effect.provideService(Logger.LogToStderr, true),
    Effect.mapError((error) =>
      error._tag === "InvalidSetting" || error._tag === "TlsUnusable"
        ? Failure.usage(error.message)
        : new Failure.CommandFailed({ message: error.message, exitCode: exitCodeOf(error._tag) })
    )
  )
}, Effect.scoped)

export const start = Command.make("start", params, handler).pipe(
  Command.withDescription(
    [
      "Run the manager of this machine until Ctrl-C. It connects to the coordinators at",
      "  --url with an enrolment token (--token, MUSTER_TOKEN) and runs what they give it.",
      "  Ctrl-C lets running tasks finish for a while."
    ].join("\n")
  ),
  Command.withShortDescription("Run the manager of this machine"),
  Command.withExamples([
    {
      command: "muster manager start --url https://coordinator:7117 --tags linux,gpu --workers 8",
      description: "A machine"
    }
  ])
)
