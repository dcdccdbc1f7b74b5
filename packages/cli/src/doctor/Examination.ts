/**
 * All that `muster doctor` looks at, from the machine that it runs on to the database. Loaded only when it runs.
 */
import { homedir } from "node:os"
import { join } from "node:path"
import { ConfigProvider, Effect } from "effect"
import type * as Profile from "@muster/client/Profile"
import * as Machine from "@muster/domain/Doctor/Machine"
import * as Storage from "@muster/domain/Doctor/Storage"
import * as ManagerConfig from "@muster/manager/ManagerConfig"
import * as Database from "@muster/server/Database"
import * as FromOutside from "@muster/server/Doctor/FromOutside"
import * as VolumeFacts from "@muster/server/Doctor/VolumeFacts"
import * as ServerConfig from "@muster/server/ServerConfig"
import * as Failure from "../Failure.ts"
import type { Settings } from "../Settings.ts"
import * as SettingsView from "../views/Settings.ts"
import * as Mistyped from "./Mistyped.ts"
import * as TheCluster from "./TheCluster.ts"
import * as ThisMachine from "./ThisMachine.ts"

/** Variables of this command alone. */
const ownVariables = ["MUSTER_DATA_DIR", "MUSTER_OUTPUT", "MUSTER_DEBUG"]

/** Where a manager without a setting keeps what it has. */
const managerDirectory = (environment: Profile.Environment): string =>
  environment["MUSTER_MANAGER_DIR"] || join(environment["HOME"] || homedir(), ".muster", "manager")

const thisMachine = Effect.fnUntraced(function* (
  settings: Settings,
  profileProblem: string | undefined,
  environment: Profile.Environment
) {
  const directory = managerDirectory(environment)
  const facts: Machine.MachineFacts = {
    ...(yield* ThisMachine.abilities),
    files: ThisMachine.files(settings.dataDir.value, directory, profileProblem),
    settings: SettingsView.rows(settings).map(({ detail, name, origin, value }) => ({
      name,
      value: value ?? "(none)",
      origin: detail === null ? origin : `${origin} ${detail}`
    })),
    mistyped: Mistyped.find(environment, [...ownVariables, ...ManagerConfig.variables, ...ServerConfig.variables])
  }
  const volumes = [
    ...(yield* VolumeFacts.at("the data directory", settings.dataDir.value)),
    ...(yield* VolumeFacts.at("the manager's journal and logs", directory))
  ]
  return [...Machine.judge(facts), ...Storage.judge("this machine", volumes)]
})

/** The settings of a coordinator's database, with this address. */
const databaseSettings = Effect.fnUntraced(function* (url: string, environment: Profile.Environment) {
  const defined = Object.entries(environment).flatMap(([name, value]) => (value === undefined ? [] : [[name, value]]))
  const env: Record<string, string> = Object.fromEntries([...defined, ["MUSTER_DATABASE_URL", url]])
  return yield* Effect.mapError(Database.config.parse(ConfigProvider.fromEnv({ env })), (error) =>
    Failure.usage(ServerConfig.problem(error))
  )
})

export interface Options {
  readonly settings: Settings
  /** Why the profile cannot be used, if it cannot. */
  readonly profileProblem: string | undefined
  readonly environment: Profile.Environment
  readonly full: boolean
}

/** Findings about everything that can be reached from here. */
export const examine = Effect.fn("Doctor.examine")(function* (options: Options) {
  const { environment, full, profileProblem, settings } = options
  const { databaseUrl, tlsCa, token, url } = settings
  const machine = yield* thisMachine(settings, profileProblem, environment)
  const cluster = yield* TheCluster.examine({
    urls: url.value.split(","),
    token: token.value,
    caFile: tlsCa.value,
    full,
    database: databaseUrl.value === undefined,
    isGuess: url.origin === "default" && databaseUrl.value !== undefined
  })
  const database =
    databaseUrl.value === undefined
      ? []
      : yield* FromOutside.examine({
          settings: yield* databaseSettings(databaseUrl.value, environment),
          full,
          cluster: !cluster.didExamine
        })
  return [...machine, ...cluster.findings, ...database]
})
