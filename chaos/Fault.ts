/**
 * What can be done to a system, and to which part of it.
 */

/** Processes and links are told apart by number, from 1. */
export type Target =
  | { readonly _tag: "Coordinator"; readonly coordinator: number }
  | { readonly _tag: "Manager"; readonly manager: number }
  | { readonly _tag: "Worker"; readonly manager: number; readonly slot: number }
  | { readonly _tag: "Postgres" }
  /** Between one manager and one coordinator. */
  | { readonly _tag: "ManagerLink"; readonly manager: number; readonly coordinator: number }
  /** All links of a manager at once: the machine is cut off. */
  | { readonly _tag: "Machine"; readonly manager: number }
  | { readonly _tag: "DatabaseLink"; readonly coordinator: number }

/**
 * | kind | what is done |
 * |---|---|
 * | `kill` | SIGKILL; a supervisor starts the process again |
 * | `restart` | SIGTERM (Postgres: fast shutdown), and started again |
 * | `freeze` | SIGSTOP for a while, then SIGCONT |
 * | `cut` | nothing gets through for a while and nobody is told, then everything does |
 * | `reset` | connections break, and new ones are refused for a while |
 * | `delay` | everything takes longer for a while |
 * | `full-disk` | the disk of a manager's directory has no room left for a while |
 * | `clock-jump` | the wall clock of one process jumps by minutes or hours, and back after a while |
 */
export const kinds = ["kill", "restart", "freeze", "cut", "reset", "delay", "full-disk", "clock-jump"] as const
export type Kind = (typeof kinds)[number]

export interface Fault {
  /** Milliseconds since the faults began. */
  readonly at: number
  readonly kind: Kind
  readonly target: Target
  /** Milliseconds until it is taken back; 0 for what ends by itself. */
  readonly lasts: number
  /** `delay`: milliseconds one way. `clock-jump`: seconds, forward or back. Otherwise 0. */
  readonly amount: number
}

export const describeTarget = (target: Target): string => {
  switch (target._tag) {
    case "Coordinator":
      return `coordinator ${target.coordinator}`
    case "Manager":
      return `manager ${target.manager}`
    case "Worker":
      return `worker ${target.slot} of manager ${target.manager}`
    case "Postgres":
      return "Postgres"
    case "ManagerLink":
      return `link of manager ${target.manager} to coordinator ${target.coordinator}`
    case "Machine":
      return `all links of manager ${target.manager}`
    case "DatabaseLink":
      return `link of coordinator ${target.coordinator} to Postgres`
  }
}

const seconds = (millis: number) => `${(millis / 1_000).toFixed(1)} s`

export const describe = ({ amount, kind, lasts, target }: Fault): string => {
  const what = `${kind} ${describeTarget(target)}`
  const by = kind === "delay" ? ` by ${amount} ms` : kind === "clock-jump" ? ` by ${amount} s` : ""
  return lasts === 0 ? `${what}${by}` : `${what}${by} for ${seconds(lasts)}`
}

/** The same for all targets of one kind: what counts and times are kept by. */
export const group = ({ kind, target }: Pick<Fault, "kind" | "target">): string => {
  switch (target._tag) {
    case "Coordinator":
      return `${kind} coordinator`
    case "Manager":
      return `${kind} manager`
    case "Worker":
      return `${kind} worker`
    case "Postgres":
      return `${kind} postgres`
    case "ManagerLink":
      return `${kind} link manager-coordinator`
    case "Machine":
      return `${kind} machine`
    case "DatabaseLink":
      return `${kind} link coordinator-postgres`
  }
}
