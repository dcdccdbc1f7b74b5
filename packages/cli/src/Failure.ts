/**
 * What a user reads when something went wrong: one line that says what, one line that says what to do about it, and an
 * exit code. Known errors are told apart by their tag, so that none of the modules that define them has to be loaded here.
 */
import { Cause, Data, Predicate } from "effect"
import { CliError } from "effect/cli"
import * as ExitCode from "./ExitCode.ts"
import * as Show from "./Show.ts"

/** An error of the command line itself. */
export class CommandFailed extends Data.TaggedError("CommandFailed")<{
  readonly message: string
  readonly advice?: string
  readonly exitCode: number
}> {}

/** The command line or a file is wrong. */
export const usage = (message: string, advice?: string): CommandFailed =>
  new CommandFailed({ message, exitCode: ExitCode.usage, ...(advice === undefined ? {} : { advice }) })

export const notFound = (message: string, advice: string): CommandFailed =>
  new CommandFailed({ message, advice, exitCode: ExitCode.notFound })

export const failed = (message: string, advice?: string): CommandFailed =>
  new CommandFailed({ message, exitCode: ExitCode.error, ...(advice === undefined ? {} : { advice }) })

/** Everything has been said already; only the exit code is left. */
export class Ended extends Data.TaggedError("Ended")<{ readonly exitCode: number }> {}

export interface Report {
  readonly line: string | undefined
  readonly advice: string | undefined
  readonly exitCode: number
}

interface Known {
  readonly exitCode: number
  readonly advice?: string
}

const showSuites = "`muster suite list` shows the suites that are there"
const showTasks = "`muster task list --suite <id>` shows the tasks of a suite"
const showManagers = "`muster manager list` shows the managers that are known"
const showSettings = "`muster config view` shows which address and token are used, and where they come from"

const known: Readonly<Record<string, Known>> = {
  InvalidInput: { exitCode: ExitCode.usage },
  InvalidSetting: { exitCode: ExitCode.usage },
  TooLarge: { exitCode: ExitCode.usage },
  Unauthorized: { exitCode: ExitCode.notAuthorised, advice: showSettings },
  SuiteNotFound: { exitCode: ExitCode.notFound, advice: showSuites },
  TaskNotFound: { exitCode: ExitCode.notFound, advice: showTasks },
  ManagerNotFound: { exitCode: ExitCode.notFound, advice: showManagers },
  LogMissing: { exitCode: ExitCode.notFound, advice: "`muster task get <id>` still has the end of it" },
  NotStarted: { exitCode: ExitCode.error, advice: "with -f, `muster task logs` waits for it to start" },
  SuiteIsCancelled: { exitCode: ExitCode.error },
  SuiteAlreadyExists: { exitCode: ExitCode.error },
  SuiteStateConflict: { exitCode: ExitCode.error },
  TaskStateConflict: { exitCode: ExitCode.error },
  ManagerOffline: { exitCode: ExitCode.error, advice: showManagers },
  TokenNameTaken: { exitCode: ExitCode.error, advice: "`muster token list` shows the tokens that are there" },
  Unavailable: { exitCode: ExitCode.error, advice: "it may be restarting: try again, or look at its /readyz" },
  ServerUnreachable: {
    exitCode: ExitCode.error,
    advice: "`muster dev` starts one on this machine; --url or MUSTER_URL say where another one is"
  },
  WaitTimedOut: { exitCode: ExitCode.timedOut, advice: "the suite goes on; `muster suite watch <id>` follows it" },
  ProfileUnusable: { exitCode: ExitCode.error, advice: "--data-dir or MUSTER_DATA_DIR name another data directory" }
}

/** What is told comes from files and from others: nothing of it may reach the terminal as a command. */
const oneLine = (text: string): string => Show.line(text.replaceAll(/\s*\n\s*/g, " "))

const cliLine = (error: CliError.NonShowHelpErrors): string => {
  switch (error._tag) {
    case "UnrecognizedOption":
      return `there is no flag ${error.option}${didYouMean(error.suggestions)}`
    case "UnknownSubcommand":
      return `there is no command \`${[...(error.parent ?? []), error.subcommand].join(" ")}\`${didYouMean(error.suggestions)}`
    case "MissingOption":
      return `--${error.option} is missing`
    case "MissingArgument":
      return `<${error.argument}> is missing`
    case "UnexpectedArgument":
      return `${error.arguments.map((argument) => JSON.stringify(argument)).join(", ")} is too much`
    case "InvalidValue": {
      const name = error.kind === "flag" ? `--${error.option}` : `<${error.option}>`
      const value = error.value === "" ? "has no value" : `is ${JSON.stringify(error.value)}`
      return `${name} ${value}; allowed: ${oneLine(error.expected)}`
    }
    case "DuplicateOption":
    case "ValidationError":
    case "UserError":
      return oneLine(error.message)
  }
}

const didYouMean = (suggestions: ReadonlyArray<string>): string =>
  suggestions.length === 0 ? "" : `; did you mean ${suggestions.join(" or ")}?`

const isShowHelp = (error: unknown): error is CliError.ShowHelp => Predicate.isTagged(error, "ShowHelp")

/** What to say about an error, and how to end. */
export const describe = (error: unknown): Report => {
  if (error instanceof Ended) return { line: undefined, advice: undefined, exitCode: error.exitCode }
  if (error instanceof CommandFailed) {
    return { line: oneLine(error.message), advice: error.advice, exitCode: error.exitCode }
  }
  if (isShowHelp(error)) {
    const [first] = error.errors
    const command = error.commandPath.join(" ")
    // `muster` by itself is a question, `muster suite` by itself is half a command.
    if (first === undefined) {
      const exitCode = error.commandPath.length > 1 ? ExitCode.usage : ExitCode.ok
      return { line: undefined, advice: undefined, exitCode }
    }
    const advice = `\`${command} --help\` shows what is allowed`
    return { line: cliLine(first), advice, exitCode: ExitCode.usage }
  }
  if (CliError.isCliError(error) && error._tag !== "ShowHelp") {
    return { line: cliLine(error), advice: undefined, exitCode: ExitCode.usage }
  }
  const message = Predicate.hasProperty(error, "message") ? String(error.message) : String(error)
  const found = Predicate.hasProperty(error, "_tag") ? known[String(error._tag)] : undefined
  return { line: oneLine(message), advice: found?.advice, exitCode: found?.exitCode ?? ExitCode.error }
}

/** The same for whatever a program can end with: interruption and bugs too. */
export const describeCause = (cause: Cause.Cause<unknown>): Report => {
  const [failure] = cause.reasons.filter(Cause.isFailReason)
  if (failure !== undefined) return describe(failure.error)
  if (Cause.hasInterruptsOnly(cause)) {
    return { line: undefined, advice: undefined, exitCode: ExitCode.interrupted }
  }
  const defect = Cause.squash(cause)
  return {
    line: `internal error: ${oneLine(defect instanceof Error ? defect.message : String(defect))}`,
    advice: "this is a bug of Muster; MUSTER_DEBUG=1 shows where it happened",
    exitCode: ExitCode.error
  }
}
