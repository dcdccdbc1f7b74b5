/**
 * The tree of commands, and how it is run. Commands load what they need when they run; this file must stay cheap, because
 * `muster --help` waits for it.
 */
import * as NodeServices from "@effect/platform-node/NodeServices"
import { Cause, Effect, Exit } from "effect"
import { CliConfig, CliOutput, Command, GlobalFlag } from "effect/cli"
import * as AdminRebuild from "./commands/admin/rebuild.ts"
import * as ClusterStatus from "./commands/cluster/status.ts"
import * as Completion from "./commands/completion.ts"
import { viewCommand } from "./commands/config/view.ts"
import { dev } from "./commands/dev/dev.ts"
import { doctor } from "./commands/doctor.ts"
import * as EventExport from "./commands/event/export.ts"
import * as EventList from "./commands/event/list.ts"
import * as EventTail from "./commands/event/tail.ts"
import * as ManagerDrain from "./commands/manager/drain.ts"
import * as ManagerGet from "./commands/manager/get.ts"
import * as ManagerId from "./commands/manager/id.ts"
import * as ManagerList from "./commands/manager/list.ts"
import * as ManagerShutdown from "./commands/manager/shutdown.ts"
import * as ManagerStart from "./commands/manager/start.ts"
import { replay } from "./commands/replay.ts"
import { run as runCommand } from "./commands/run.ts"
import * as ServerStart from "./commands/server/start.ts"
import * as SuiteCancel from "./commands/suite/cancel.ts"
import * as SuiteClose from "./commands/suite/close.ts"
import * as SuiteCreate from "./commands/suite/create.ts"
import * as SuiteGet from "./commands/suite/get.ts"
import * as SuiteList from "./commands/suite/list.ts"
import * as SuitePause from "./commands/suite/pause.ts"
import * as SuiteResume from "./commands/suite/resume.ts"
import * as SuiteRetry from "./commands/suite/retry.ts"
import * as SuiteSubmit from "./commands/suite/submit.ts"
import * as SuiteWait from "./commands/suite/wait.ts"
import * as SuiteWatch from "./commands/suite/watch.ts"
import * as TaskCancel from "./commands/task/cancel.ts"
import * as TaskExplain from "./commands/task/explain.ts"
import * as TaskGet from "./commands/task/get.ts"
import * as TaskList from "./commands/task/list.ts"
import * as TaskLogs from "./commands/task/logs.ts"
import * as TaskRetry from "./commands/task/retry.ts"
import * as TokenCreate from "./commands/token/create.ts"
import * as TokenList from "./commands/token/list.ts"
import * as TokenRevoke from "./commands/token/revoke.ts"
import * as WorkerList from "./commands/worker/list.ts"
import * as ExitCode from "./ExitCode.ts"
import * as Failure from "./Failure.ts"
import * as Params from "./Params.ts"
import * as Screen from "./Screen.ts"
import { version } from "@muster/domain/Version"

const suite = Command.make("suite").pipe(
  Command.withDescription("Suites: make them, fill them, follow them, end them"),
  Command.withSubcommands([
    SuiteCreate.create,
    SuiteList.list,
    SuiteGet.get,
    SuiteSubmit.submit,
    SuiteClose.close,
    SuiteCancel.cancel,
    SuitePause.pause,
    SuiteResume.resume,
    SuiteRetry.retry,
    SuiteWait.wait,
    SuiteWatch.watch
  ])
)

const task = Command.make("task").pipe(
  Command.withDescription("Tasks: what they did, what they wrote"),
  Command.withSubcommands([
    TaskList.list,
    TaskGet.get,
    TaskExplain.explain,
    TaskLogs.logs,
    TaskCancel.cancel,
    TaskRetry.retry
  ])
)

const manager = Command.make("manager").pipe(
  Command.withDescription("Machines and their managers"),
  Command.withSubcommands([
    ManagerStart.start,
    ManagerId.id,
    ManagerList.list,
    ManagerGet.get,
    ManagerDrain.drain,
    ManagerShutdown.shutdown
  ])
)

const server = Command.make("server").pipe(
  Command.withDescription("Coordinators"),
  Command.withSubcommands([ServerStart.start])
)

const cluster = Command.make("cluster").pipe(
  Command.withDescription("Coordinators as a whole"),
  Command.withSubcommands([ClusterStatus.status])
)

const worker = Command.make("worker").pipe(
  Command.withDescription("Worker processes"),
  Command.withSubcommands([WorkerList.list])
)

const event = Command.make("event").pipe(
  Command.withDescription("The log of everything that happened"),
  Command.withSubcommands([EventList.list, EventTail.tail, EventExport.exportSuite])
)

const token = Command.make("token").pipe(
  Command.withDescription("Tokens that let somebody in"),
  Command.withSubcommands([TokenCreate.create, TokenList.list, TokenRevoke.revoke])
)

const config = Command.make("config").pipe(
  Command.withDescription("Settings of this command"),
  Command.withSubcommands([viewCommand])
)

const admin = Command.make("admin").pipe(
  Command.withDescription("Work on the database of the coordinators"),
  Command.withSubcommands([AdminRebuild.rebuild])
)

const root = Command.make("muster").pipe(
  Command.withDescription("Runs suites of tasks on your own machines. `muster dev` starts all of it on this one."),
  Command.withSubcommands([
    { group: "Work", commands: [runCommand, suite, task] },
    { group: "Machines", commands: [dev, server, cluster, manager, worker] },
    {
      group: "The rest",
      commands: [event, replay, token, config, doctor, admin, Completion.make((): Command.Command.Any => root)]
    }
  ]),
  Command.withGlobalFlags(Params.globals)
)

/** Help goes to standard output; what is wrong with a command line is said by `report`, on two lines. */
const presenter: CliOutput.Presenter = {
  present: (shown) =>
    shown._tag === "InvalidInvocation" && shown.errors.length > 0
      ? Effect.void
      : shown._tag === "Version"
        ? Screen.print(`muster ${shown.version}`)
        : CliOutput.defaultPresenter.present(shown)
}

/** Runs a command line. */
export const run = (args: ReadonlyArray<string>) =>
  Command.runWith(root, { version })(args).pipe(
    Effect.provideService(CliOutput.Presenter, presenter),
    Effect.provideService(CliConfig.CliConfig, CliConfig.make({ builtIns: [GlobalFlag.Help, GlobalFlag.Version] })),
    Effect.provide(NodeServices.layer)
  )

/** Says how a command ended, and answers with the exit code. */
export const report = (exit: Exit.Exit<void, unknown>): Effect.Effect<number> => {
  if (Exit.isSuccess(exit)) return Effect.succeed(ExitCode.ok)
  const { advice, exitCode, line } = Failure.describeCause(exit.cause)
  const isDebugging = (process.env["MUSTER_DEBUG"] ?? "") !== ""
  return Effect.gen(function* () {
    if (line !== undefined) yield* Screen.note(`muster: ${line}`)
    if (line !== undefined && advice !== undefined) yield* Screen.note(`        ${advice}`)
    if (isDebugging && line !== undefined) yield* Screen.note(Cause.pretty(exit.cause))
    return exitCode
  })
}
