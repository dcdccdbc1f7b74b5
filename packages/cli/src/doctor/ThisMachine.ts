/**
 * What there is to see of the machine that the command runs on.
 */
import { spawnSync } from "node:child_process"
import { accessSync, constants, readFileSync, statSync } from "node:fs"
import { join } from "node:path"
import { Effect } from "effect"
import type { File, MachineFacts } from "@muster/domain/Doctor/Machine"
import * as Profile from "@muster/client/Profile"

const may = (path: string, right: number): boolean => {
  try {
    accessSync(path, right)
    return true
  } catch {
    return false
  }
}

const read = (path: string): string | undefined => {
  try {
    return readFileSync(path, "utf8")
  } catch {
    return undefined
  }
}

const file = (check: string, what: string, path: string, kind: File["kind"], problem?: string): File => {
  const stat = statSync(path, { throwIfNoEntry: false })
  const right = kind === "secret" ? constants.R_OK : constants.W_OK
  return {
    check,
    what,
    path,
    kind,
    found: stat === undefined ? null : { mode: stat.mode & 0o777, isUsable: may(path, right) },
    problem
  }
}

/** What `muster dev` keeps on this machine, and the directory of a manager of its own. */
export const files = (
  dataDir: string,
  managerDir: string | undefined,
  profileProblem?: string
): ReadonlyArray<File> => [
  file("files.data", "the data directory", dataDir, "shared"),
  file("files.profile", "address and token", Profile.path(dataDir), "secret", profileProblem),
  file("files.tokens", "the tokens of `muster dev`", join(dataDir, "tokens.json"), "secret"),
  file(
    "files.postgres",
    "the password of the database of `muster dev`",
    join(dataDir, "postgres", "superuser-password"),
    "secret"
  ),
  file(
    "files.manager",
    "identity, journal and logs of the manager of `muster dev`",
    join(dataDir, "manager"),
    "private"
  ),
  ...(managerDir === undefined
    ? []
    : [file("files.manager", "identity, journal and logs of the manager", managerDir, "private")])
]

/** The line of `/proc/self/limits` that begins so; nothing where there is no such file. */
const limit = (limits: string | undefined, name: string): MachineFacts["limits"]["files"] => {
  const line = limits?.split("\n").find((text) => text.startsWith(name))
  if (line === undefined) return null
  const [soft, hard] = line.slice(name.length).trim().split(/\s+/)
  const number = (text: string | undefined) => (text === "unlimited" ? null : Number(text))
  return { soft: number(soft), hard: number(hard) }
}

export const limits = (text = read("/proc/self/limits")): MachineFacts["limits"] => ({
  files: limit(text, "Max open files"),
  processes: limit(text, "Max processes")
})

const root = "/sys/fs/cgroup"

/** The own group stands in the line of hierarchy 0, which version 2 has only. */
export const cgroups = (): MachineFacts["cgroups"] => {
  const own = read("/proc/self/cgroup")
    ?.split("\n")
    .find((line) => line.startsWith("0::"))
  const controllers = read(join(root, "cgroup.controllers"))
  if (controllers === undefined || own === undefined) {
    return {
      version: read("/proc/self/cgroup") === undefined || !may(root, constants.R_OK) ? 0 : 1,
      isWritable: false,
      controllers: []
    }
  }
  const group = join(root, own.slice("0::".length))
  return {
    version: 2,
    isWritable: may(group, constants.W_OK) && may(join(group, "cgroup.procs"), constants.W_OK),
    controllers: (read(join(group, "cgroup.controllers")) ?? controllers)
      .trim()
      .split(/\s+/)
      .filter((name) => name !== "")
  }
}

const canTieChildren = (): boolean =>
  spawnSync("setpriv", ["--pdeathsig", "KILL", "--", "true"], { stdio: "ignore" }).status === 0

/** Everything but files and settings, which depend on the command line. */
export const abilities = Effect.gen(function* () {
  const NativeLauncher = yield* Effect.promise(() => import("@muster/worker/Command/NativeLauncher"))
  const problem = yield* NativeLauncher.probe
  return {
    launcher: { problem: problem ?? null },
    canTieChildren: canTieChildren(),
    cgroups: cgroups(),
    limits: limits()
  }
})
