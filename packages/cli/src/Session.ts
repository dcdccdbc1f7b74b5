/**
 * What a command works with: its settings, and a connection when it needs one. The client is loaded only then, so that
 * `--help` does not pay for it.
 */
import { Effect, Predicate } from "effect"
import type { Duration } from "effect"
import type { MusterClient } from "@muster/client/MusterClient"
import * as Profile from "@muster/client/Profile"
import { Environment } from "./Environment.ts"
import * as ExitCode from "./ExitCode.ts"
import * as Failure from "./Failure.ts"
import * as Params from "./Params.ts"
import * as Screen from "./Screen.ts"
import * as Settings from "./Settings.ts"

export type Client = MusterClient["Service"]

const flags = Effect.gen(function* () {
  return Settings.fromOptions({
    url: yield* Params.url,
    token: yield* Params.token,
    tlsCa: yield* Params.tlsCa,
    dataDir: yield* Params.dataDir,
    output: yield* Params.output
  })
})

/** The settings of this command. */
export const settings = Effect.gen(function* () {
  return yield* Settings.resolve(yield* flags, yield* Environment)
})

/** The settings even where the profile cannot be used, and what is wrong with it. */
export const settingsAnyway = Effect.gen(function* () {
  const given = yield* flags
  const environment = yield* Environment
  return yield* Settings.resolve(given, environment).pipe(
    Effect.map((resolved) => ({ settings: resolved, problem: undefined })),
    Effect.catchTag("ProfileUnusable", ({ reason }) =>
      Effect.map(Settings.resolve(given, environment, {}), (resolved) => ({ settings: resolved, problem: reason }))
    )
  )
})

/** How results are to be printed. */
export const format = Effect.map(settings, ({ output }) => output.value)

/** A coordinator that is just being replaced is back within this time. */
const shortPatience = "1 second"
/** For commands that follow something for long: longer than it takes another coordinator to take over. */
export const longPatience = "1 minute"

/** Connects; the connection closes with the scope. `patience`: how long nobody may answer. */
export const connect = Effect.fn("Session.connect")(function* (patience: Duration.Input = shortPatience) {
  const { tlsCa, token, url } = yield* settings
  const { err } = yield* Screen.Screen
  const client = yield* Effect.promise(() => import("@muster/client/MusterClient"))
  let isLost = false
  return yield* client.MusterClient.make({
    url: url.value,
    // Without a token the coordinator says what is missing; if there is none, that is the first thing to know.
    token: token.value ?? "",
    ...(tlsCa.value === undefined ? {} : { caFile: tlsCa.value }),
    connectTimeout: patience,
    repeatFor: longPatience,
    onConnection: (connected) => {
      const wasLost = isLost
      isLost = !connected
      if (!err.isTerminal || wasLost === isLost) return Effect.void
      return Screen.note(connected ? "connected again" : `connection to ${url.value} lost, trying again`)
    }
  })
})

/** Who has no token is told where one could come from, in place of what a coordinator says to any caller. */
const withoutToken = Effect.map(settings, ({ dataDir, token }) =>
  token.value === undefined
    ? new Failure.CommandFailed({
        message: `no token is given: MUSTER_TOKEN is not set and ${Profile.path(dataDir.value)} has none`,
        advice: "`muster dev` writes one there; --token takes one that `muster token create` has made elsewhere",
        exitCode: ExitCode.notAuthorised
      })
    : undefined
)

/** Runs a request on a connection of its own. */
export const use = <A, E, R>(request: (client: Client) => Effect.Effect<A, E, R>, patience?: Duration.Input) =>
  Effect.scoped(Effect.flatMap(connect(patience), request)).pipe(
    Effect.catchIf(
      (error) => Predicate.isTagged(error, "Unauthorized"),
      (error) => Effect.flatMap(withoutToken, (missing) => Effect.fail(missing ?? error))
    )
  )
