/**
 * Flags and arguments that several commands share, and how their values are checked.
 */
import { Effect, Schema } from "effect"
import { Argument, CliError, Flag, GlobalFlag } from "effect/cli"
import { ManagerId } from "@muster/domain/Manager/Id"
import * as Millis from "@muster/domain/Millis"
import { SuiteId, TaskId } from "@muster/domain/Suite/Id"
import { Name, Tags } from "@muster/domain/Text"
import * as Failure from "./Failure.ts"
import * as Output from "./Output.ts"

// Flags of every command.

export const output = GlobalFlag.Setting("output")({
  flag: Flag.Literals("output", Output.formats).pipe(
    Flag.withAlias("o"),
    Flag.withDescription("How results are printed (default table)"),
    Flag.optional
  )
})
export const url = GlobalFlag.Setting("url")({
  flag: Flag.String("url").pipe(
    Flag.withMetavar("URL"),
    Flag.withDescription(
      "Address of a coordinator, or of several with commas (default: MUSTER_URL, the profile, http://127.0.0.1:7117)"
    ),
    Flag.optional
  )
})
export const token = GlobalFlag.Setting("token")({
  flag: Flag.String("token").pipe(
    Flag.withMetavar("TOKEN"),
    Flag.withDescription("Who you are (default: MUSTER_TOKEN, the profile)"),
    Flag.optional
  )
})
export const dataDir = GlobalFlag.Setting("data-dir")({
  flag: Flag.String("data-dir").pipe(
    Flag.withMetavar("DIR"),
    Flag.withDescription(
      "Where `muster dev` keeps its data and the profile (default: MUSTER_DATA_DIR, a directory of yours)"
    ),
    Flag.optional
  )
})
export const tlsCa = GlobalFlag.Setting("tls-ca")({
  flag: Flag.String("tls-ca").pipe(
    Flag.withMetavar("FILE"),
    Flag.withDescription(
      "Authorities whose word is taken for coordinators' certificates (default: MUSTER_TLS_CA, the profile, the system's)"
    ),
    Flag.optional
  )
})
export const globals = [output, url, token, dataDir, tlsCa] as const

// Checks. Each names what is allowed in words of its own: what a schema says is for programmers.

const check =
  <A>(kind: "flag" | "argument", name: string, expected: string, parse: (text: string) => A | undefined) =>
  (text: string): Effect.Effect<A, CliError.InvalidValue> => {
    const value = parse(text)
    return value === undefined
      ? Effect.fail(new CliError.InvalidValue({ option: name, value: text, expected, kind }))
      : Effect.succeed(value)
  }

/** A flag whose text is checked. */
export const flag = <A>(
  name: string,
  metavar: string,
  description: string,
  expected: string,
  parse: (text: string) => A | undefined
): Flag.Flag<A> =>
  Flag.String(name).pipe(
    Flag.withMetavar(metavar),
    Flag.withDescription(description),
    Flag.mapEffect(check("flag", name, expected, parse))
  )

const accepted =
  <A extends string>(is: (text: string) => text is A) =>
  (text: string): A | undefined =>
    is(text) ? text : undefined

export const wholeNumber = (name: string, description: string, minimum: number, maximum: number): Flag.Flag<number> =>
  flag(name, "N", description, `a whole number from ${minimum} to ${maximum}`, (text) => {
    const value = /^[+-]?\d{1,15}$/.test(text) ? Number(text) : Number.NaN
    return value >= minimum && value <= maximum ? value : undefined
  })

const day = 86_400_000

export const duration = (name: string, description: string, minimum = 1, maximum = 365 * day): Flag.Flag<number> =>
  flag(
    name,
    "DURATION",
    description,
    `${Millis.expected}, from ${Millis.format(minimum)} to ${Millis.format(maximum)}`,
    (text) => {
      const millis = Millis.parse(text)
      return millis !== undefined && millis >= minimum && millis <= maximum ? millis : undefined
    }
  )

const isTags = Schema.is(Tags)

/** Words separated by commas; the flag may be repeated. */
export const tags = (name: string, description: string): Flag.Flag<ReadonlyArray<string>> =>
  flag(
    name,
    "A,B",
    description,
    "up to 64 words of at most 128 characters, separated by commas and without spaces",
    (text) => {
      const words = text.split(",").filter((word) => word !== "")
      return words.length > 0 && isTags(words) ? words : undefined
    }
  ).pipe(
    Flag.atLeast(0),
    Flag.map((lists) => lists.flat())
  )

export const givenName = (description: string): Flag.Flag<string> =>
  flag("name", "NAME", description, "1 to 255 characters on one line", accepted(Schema.is(Name)))

export const file = (name: string, description: string) =>
  Flag.String(name).pipe(Flag.withMetavar("FILE"), Flag.withDescription(description), Flag.optional)

export const managerDirectory = Flag.String("directory").pipe(
  Flag.withMetavar("DIR"),
  Flag.withDescription(
    "Where it keeps its identity, its journal and logs (default: MUSTER_MANAGER_DIR, ~/.muster/manager)"
  ),
  Flag.optional
)

export const limit = wholeNumber("limit", "Most items to show", 1, 1_000_000_000).pipe(Flag.optional)

export const wait = Flag.Boolean("wait").pipe(
  Flag.withDescription("Wait until nothing is pending; ends 5 when tasks failed"),
  Flag.withDefault(false)
)
export const waitTimeout = duration(
  "wait-timeout",
  "Longest wait; then the command ends 124 and the suite goes on"
).pipe(Flag.optional)
export const watch = Flag.Boolean("watch").pipe(
  Flag.withDescription("Show it again whenever it may have changed, until Ctrl-C"),
  Flag.withDefault(false)
)

/** `--filter state=failed,label=x`: the keys that a list has, the same key twice means either. */
export const filter = (keys: ReadonlyArray<string>): Flag.Flag<Filter> => {
  const expected = `KEY=VALUE pairs separated by commas, with a key of: ${keys.join(", ")}`
  return flag("filter", "KEY=VALUE", `Only what fits; keys: ${keys.join(", ")}`, expected, (text) => {
    const pairs = text.split(",").map((pair) => pair.split(/=(.*)/s))
    return pairs.every(([key = "", value = ""]) => keys.includes(key) && value !== "")
      ? pairs.map(([key = "", value = ""]) => [key, value] as const)
      : undefined
  }).pipe(
    Flag.atLeast(0),
    Flag.map((lists) => lists.flat())
  )
}

export type Filter = ReadonlyArray<readonly [key: string, value: string]>

/** Values that a filter gives for a key. */
export const valuesOf = (given: Filter, key: string): ReadonlyArray<string> =>
  given.filter(([name]) => name === key).map(([, value]) => value)

/** Values of a filter that must be some of a known few. */
export const choicesOf = <const Choice extends string>(
  given: Filter,
  key: string,
  choices: ReadonlyArray<Choice>
): Effect.Effect<ReadonlyArray<Choice>, CliError.InvalidValue> =>
  Effect.forEach(valuesOf(given, key), (text) => {
    const choice = choices.find((candidate) => candidate === text)
    return choice === undefined
      ? Effect.fail(
          new CliError.InvalidValue({
            option: "filter",
            value: `${key}=${text}`,
            expected: choices.join(", "),
            kind: "flag"
          })
        )
      : Effect.succeed(choice)
  })

// Ids. One that cannot exist is not found, like one that does not.

const absent = (noun: string, shape: string, advice: string) => (text: string) =>
  Failure.notFound(`there is no ${noun} ${JSON.stringify(text)}: ${shape}`, advice)

const shortId = "an id has 16 characters of 0-9 and a-z"

export const noSuite = absent("suite", shortId, "`muster suite list` shows the suites that are there")
export const noTask = absent(
  "task",
  "an id is <suite id>.<index>",
  "`muster task list --suite <id>` shows the tasks of a suite"
)
export const noManager = absent("manager", shortId, "`muster manager list` shows the managers that are known")

const id = <A extends string>(
  noun: string,
  is: (text: string) => text is A,
  none: (text: string) => Failure.CommandFailed
) =>
  Argument.String(noun).pipe(
    Argument.withDescription(`Id of the ${noun}`),
    Argument.map((text): Effect.Effect<A, Failure.CommandFailed> =>
      is(text) ? Effect.succeed(text) : Effect.fail(none(text))
    )
  )

export const suite = id("suite", Schema.is(SuiteId), noSuite)
export const task = id("task", Schema.is(TaskId), noTask)
export const manager = id("manager", Schema.is(ManagerId), noManager)
