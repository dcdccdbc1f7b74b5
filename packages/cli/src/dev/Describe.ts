/** What a person reads about a running `muster dev`. */
import * as Profile from "@muster/client/Profile"
import * as Programs from "../Programs.ts"
import * as Show from "../Show.ts"
import type { Paint } from "../Style.ts"
import type { DevProcess, Info } from "./DevState.ts"

const pidsOf = (processes: ReadonlyArray<DevProcess>, role: DevProcess["role"]): string | undefined => {
  const pids = processes.filter((process) => process.role === role).map(({ pid }) => pid)
  if (pids.length === 0) return undefined
  return role === "worker" ? `${Show.plural(pids.length, "worker")} ${pids.join(" ")}` : `${role} ${pids.join(" ")}`
}

/** The processes with their ids. */
const processesLine = ({ processes }: Info): string =>
  (["postgres", "coordinator", "manager", "worker"] as const)
    .flatMap((role) => pidsOf(processes, role) ?? [])
    .join(", ")

export const status = (info: Info, paint: Paint): ReadonlyArray<string> => [
  `${paint("green", "●")} Muster is running on ${paint("bold", info.url)}, its data is in ${info.dataDir}`,
  `  ${processesLine(info)}`,
  ...imported(info)
]

const imported = ({ imported: found }: Info): ReadonlyArray<string> =>
  found === undefined
    ? []
    : [
        `  for reading only: ${found.suite === null ? "a whole log" : `suite ${found.suite}`}, ${Show.plural(found.events, "event")} ` +
          `exported from ${found.source} at ${new Date(found.at).toISOString()}`
      ]

/** Commands find the directory by themselves only when it is where they look. */
const prefix = ({ dataDir }: Info): string => {
  const found = Profile.dataDirectory(process.env)
  return found === dataDir ? "" : `MUSTER_DATA_DIR=${dataDir} `
}

/** What to try next. */
export const suggestions = (info: Info, paint: Paint): ReadonlyArray<string> => {
  const muster = `${prefix(info)}${Programs.name()}`
  const explain = `${muster} task explain ${info.imported?.suite ?? "SUITE"}.0`
  const lines =
    info.imported === undefined
      ? live(muster, info)
      : ([
          [explain, "why a task came to its state"],
          [`${explain} --at TIME`, "and how it was then"],
          [`${muster} event list`, "all that happened"],
          [`${info.url}/docs`, "the HTTP interface"]
        ] as const)
  const width = Math.max(...lines.map(([typed]) => typed.length))
  return lines.map(([typed, meaning]) => `  ${paint("cyan", typed.padEnd(width))}  ${meaning}`)
}

const live = (muster: string, info: Info) =>
  [
    [`${muster} run -- sha256sum {} ::: *`, "a task for each file here"],
    [`${muster} suite list`, "what there is"],
    [`${muster} event tail`, "what happens"],
    [`${info.url}/docs`, "the HTTP interface"]
  ] as const
