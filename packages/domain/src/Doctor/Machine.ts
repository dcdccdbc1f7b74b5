/**
 * The machine that the command runs on: files that hold secrets, directories, and what this system lets Muster do with
 * processes.
 */
import * as Finding from "./Finding.ts"

export interface File {
  readonly check: string
  /** What it is, such as `the profile`. */
  readonly what: string
  readonly path: string
  /**
   * - `secret`: nobody but its owner may read it.
   * - `private`: a directory that nobody else may look into.
   * - `shared`: a directory that others may pass through and not write to.
   */
  readonly kind: "secret" | "private" | "shared"
  /** Null: it is not there. */
  readonly found: {
    /** The last nine bits. */
    readonly mode: number
    readonly isUsable: boolean
  } | null
  /** Why its content cannot be used, if it cannot. */
  readonly problem?: string | undefined
}

export interface MachineFacts {
  readonly files: ReadonlyArray<File>
  /** Settings of the command with where each came from. */
  readonly settings: ReadonlyArray<{ readonly name: string; readonly value: string; readonly origin: string }>
  /** Variables that no program of Muster knows, and that look like one that they do. */
  readonly mistyped: ReadonlyArray<{ readonly name: string; readonly meant: string }>
  /** Why the process that starts programs cannot work here; null: it works. */
  readonly launcher: { readonly problem: string | null }
  /** The kernel ends children with their parent (`setpriv --pdeathsig`). */
  readonly canTieChildren: boolean
  readonly cgroups: {
    /** 0: none. */
    readonly version: 0 | 1 | 2
    /** Whether this user may make groups below the own one. */
    readonly isWritable: boolean
    readonly controllers: ReadonlyArray<string>
  }
  /** Soft limits of this process; null: none. */
  readonly limits: {
    readonly files: { readonly soft: number | null; readonly hard: number | null } | null
    readonly processes: { readonly soft: number | null; readonly hard: number | null } | null
  }
}

const subject = "this machine"
const say = Finding.about(subject)

export const judge = (facts: MachineFacts): ReadonlyArray<Finding.Finding> => [
  ...facts.settings.map(({ name, origin, value }) => say.ok("settings.value", `${name} is ${value} (${origin})`)),
  ...mistyped(facts.mistyped),
  ...facts.files.map(file),
  launcher(facts.launcher),
  ties(facts),
  cgroups(facts.cgroups),
  ...limits(facts.limits)
]

const mistyped = (variables: MachineFacts["mistyped"]) =>
  variables.map(({ meant, name }) =>
    say.warning(
      "settings.unknown",
      `the variable ${name} is set, and no program of Muster knows it`,
      `is it meant to be ${meant}?`
    )
  )

const octal = (mode: number) => `0${(mode & 0o777).toString(8).padStart(3, "0")}`

/** Rights of others that a file of this kind must not give, and the mode that it should have. */
const rules = {
  secret: { forbidden: 0o077, wanted: "600" },
  private: { forbidden: 0o077, wanted: "700" },
  shared: { forbidden: 0o022, wanted: "755" }
} as const

const file = ({ check, found, kind, path, problem, what }: File) => {
  if (found === null) return say.ok(check, `there is no ${path} (${what})`)
  if (!found.isUsable) {
    return say.error(
      check,
      `${path} (${what}) cannot be ${kind === "secret" ? "read" : "written to"} by this user`,
      `run as its owner, or \`chown\` it`
    )
  }
  if (problem !== undefined) {
    return say.error(check, `${path} (${what}) cannot be used: ${problem}`, "mend it, or remove it: it is made again")
  }
  const { forbidden, wanted } = rules[kind]
  if ((found.mode & forbidden) === 0) return say.ok(check, `${path} (${what}) has mode ${octal(found.mode)}`)
  const next = `chmod ${wanted} ${path}`
  if (kind === "secret") {
    return say.error(
      check,
      `others may read or change ${path} (${what}): its mode is ${octal(found.mode)}`,
      `${next}, and make new tokens: these may be known`
    )
  }
  return say.warning(
    check,
    `others may ${kind === "private" ? "look into" : "write to"} ${path} (${what}): its mode is ${octal(found.mode)}`,
    next
  )
}

const launcher = ({ problem }: MachineFacts["launcher"]) =>
  problem === null
    ? say.ok("machine.launcher", "the native process that starts programs works")
    : say.warning(
        "machine.launcher",
        `the native process that starts programs does not work: ${problem}; workers start programs themselves, at a third of the rate`,
        "see that the file is there, may be executed and lies on no file system with noexec; `npm run build` makes it anew"
      )

const ties = ({ canTieChildren }: MachineFacts) =>
  canTieChildren
    ? say.ok("machine.children", "the kernel ends workers and tasks with their parent")
    : say.warning(
        "machine.children",
        "`setpriv --pdeathsig` does not work here: after a kill of their parent, processes end only when they notice it",
        "install util-linux (BusyBox has a setpriv without that option)"
      )

const cgroups = ({ controllers, isWritable, version }: MachineFacts["cgroups"]) => {
  const check = "machine.cgroups"
  if (version === 0)
    return say.ok(check, "there are no cgroups here: a task's processes are found by group and environment")
  const what = `cgroups of version ${version}${controllers.length === 0 ? "" : ` (${controllers.join(" ")})`}`
  return say.ok(
    check,
    isWritable
      ? `${what}: this user may make groups`
      : `${what}: this user may not make groups; a task's processes are found by group and environment`
  )
}

/** A manager keeps a few for each worker, a coordinator one for each connection. */
const fewFiles = 4_096
const fewProcesses = 1_024

const limits = ({ files, processes }: MachineFacts["limits"]) => [
  ...limit("machine.files", "open files", "n", files, fewFiles),
  ...limit("machine.processes", "processes of this user", "u", processes, fewProcesses)
]

const limit = (check: string, what: string, flag: string, found: MachineFacts["limits"]["files"], few: number) => {
  if (found === null) return []
  const { hard, soft } = found
  if (soft === null) return [say.ok(check, `there is no limit of ${what}`)]
  if (soft >= few) return [say.ok(check, `at most ${soft} ${what} (up to ${hard ?? "any number"} may be asked for)`)]
  return [
    say.warning(
      check,
      `at most ${soft} ${what}: less than the ${few} that a busy machine needs`,
      hard === null || hard >= few
        ? `\`ulimit -S${flag} ${few}\` before the start (prlimit for a process that runs; LimitNOFILE, LimitNPROC for systemd)`
        : `have root raise the hard limit (${hard}) in /etc/security/limits.conf or in the service's unit`
    )
  ]
}
