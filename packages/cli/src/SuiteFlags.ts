/** Flags that say how a suite and its tasks are to be run; `run`, `suite create` and `suite submit` have them. */
import { Option } from "effect"
import type { Command } from "effect/cli"
import { Flag } from "effect/cli"
import * as Lease from "@muster/domain/Lease"
import { OnDisconnect } from "@muster/domain/Suite/Spec"
import type { SuiteSpec } from "@muster/domain/Suite/Spec"
import type { TaskDefaults } from "@muster/domain/Task/Spec"
import * as Params from "./Params.ts"

const maxInt = 2 ** 31 - 1

export const params = {
  workers: Params.wholeNumber("workers", "Workers on each machine (default: what its manager says)", 1, 256).pipe(
    Flag.optional
  ),
  priority: Params.wholeNumber("priority", "Higher goes first (default 0)", -maxInt, maxInt).pipe(Flag.optional),
  tags: Params.tags("tags", "Only machines that have all of these tags"),
  labels: Params.tags("labels", "Words to find the suite by"),
  maxFails: Params.wholeNumber("max-fails", "Cancel what is queued after so many failed tasks", 1, maxInt).pipe(
    Flag.optional
  ),
  onDisconnect: Flag.Literals("on-disconnect", OnDisconnect.literals).pipe(
    Flag.withDescription("What a machine that is cut off does with running tasks (default keep)"),
    Flag.optional
  ),
  leaseDuration: Params.duration(
    "lease-duration",
    "With --on-disconnect stop: how long it may go on alone (default 2m)",
    Lease.shortest,
    Lease.longest
  ).pipe(Flag.optional),
  timeout: Params.duration("timeout", "Longest run of one attempt of a task (default: none)").pipe(Flag.optional),
  grace: Params.duration("grace", "Time between TERM and KILL when a task is ended (default 5s)", 0, 3_600_000).pipe(
    Flag.optional
  ),
  retries: Params.wholeNumber("retries", "Further attempts of a task that failed (default 0)", 0, 100).pipe(
    Flag.optional
  ),
  env: Params.flag("env", "NAME=VALUE", "Environment variable of the tasks; may be repeated", "NAME=VALUE", (text) => {
    const [name = "", value] = text.split(/=(.*)/s)
    return name === "" || value === undefined ? undefined : ([name, value] as const)
  }).pipe(Flag.atLeast(0)),
  cwd: Flag.String("cwd").pipe(
    Flag.withMetavar("DIR"),
    Flag.withDescription("Working directory of the tasks (default: a fresh one each)"),
    Flag.optional
  )
}

export type Values = Command.Command.Config.Infer<typeof params>

const given = <Key extends string, A, B = A>(
  key: Key,
  value: Option.Option<A>,
  shape: (value: A) => B
): { readonly [K in Key]?: B } =>
  Option.isSome(value) ? ({ [key]: shape(value.value) } as { readonly [K in Key]: B }) : {} // TypeScript widens a computed key to string

const same = <A>(value: A): A => value

const some = <A>(list: ReadonlyArray<A>): Option.Option<ReadonlyArray<A>> =>
  list.length === 0 ? Option.none() : Option.some(list)

/** What tasks inherit, as the flags say. */
export const toDefaults = (flags: Values): TaskDefaults => ({
  ...given("timeout", flags.timeout, same),
  ...given("grace", flags.grace, same),
  ...given("cwd", flags.cwd, same),
  ...given("retry", flags.retries, (limit) => ({ limit })),
  ...given("env", some(flags.env), (pairs) => Object.fromEntries(pairs))
})

/** The suite that the flags describe. */
export const toSpec = (flags: Values): SuiteSpec => {
  const defaults = toDefaults(flags)
  return {
    ...given("workers", flags.workers, same),
    ...given("priority", flags.priority, same),
    ...given("tags", some(flags.tags), same),
    ...given("labels", some(flags.labels), same),
    ...given("maxFails", flags.maxFails, same),
    ...given("onDisconnect", flags.onDisconnect, same),
    ...given("leaseDuration", flags.leaseDuration, same),
    ...(Object.keys(defaults).length === 0 ? {} : { defaults })
  }
}
