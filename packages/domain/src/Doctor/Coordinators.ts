/**
 * The coordinators of a cluster: what each says of itself, and what follows from all of them together.
 */
import { Schema } from "effect"
import * as Clocks from "./Clocks.ts"
import * as Finding from "./Finding.ts"
import { few, plural } from "./Numbers.ts"
import * as Storage from "./Storage.ts"

/** A setting and where its value came from. Secrets are not shown. */
export const Setting = Schema.Struct({
  name: Schema.String,
  value: Schema.String,
  origin: Schema.String
})
export type Setting = typeof Setting.Type

/** What a coordinator says of itself and its machine. */
export const CoordinatorFacts = Schema.Struct({
  /** As it calls itself. */
  address: Schema.String,
  /** Where other coordinators reach it. */
  runner: Schema.String,
  version: Schema.String,
  hostname: Schema.String,
  startedAt: Schema.String,
  settings: Schema.Array(Setting),
  /** Its clock against the database's; null: the database did not answer. */
  clock: Schema.NullOr(Clocks.Offset),
  /** What it can see of the database's disk, and others that it writes to. */
  volumes: Schema.Array(Storage.Volume)
})
export type CoordinatorFacts = typeof CoordinatorFacts.Type

/** A coordinator that holds locks in the database, and what it answered; null: nothing in time. */
export interface Member {
  readonly address: string
  readonly shards: number
  readonly facts: CoordinatorFacts | null
}

export interface ClusterFacts {
  readonly members: ReadonlyArray<Member>
  /** Parts that the actors are divided into. */
  readonly shards: number
  /** Coordinators were not asked: the caller is none. */
  readonly isFromOutside: boolean
}

const subjectOf = (address: string) => `coordinator ${address}`

export const judge = ({ isFromOutside, members, shards }: ClusterFacts): ReadonlyArray<Finding.Finding> => {
  const answered = members.flatMap(({ facts }) => (facts === null ? [] : [facts]))
  return [
    ...presence(members, shards),
    ...(isFromOutside ? [] : members.filter(({ facts }) => facts === null).map(silent)),
    ...answered.flatMap(ofOne),
    ...versions(answered),
    ...clocks(answered)
  ]
}

const cluster = Finding.about("cluster")

const presence = (members: ReadonlyArray<Member>, shards: number) => {
  if (members.length === 0) {
    return [
      cluster.error(
        "cluster.coordinators",
        "no coordinator is connected to the database",
        "start one: `muster server start`"
      )
    ]
  }
  const held = members.reduce((sum, member) => sum + member.shards, 0)
  return [
    cluster.ok(
      "cluster.coordinators",
      `${plural(members.length, "coordinator")}: ${few(members.map(({ address }) => address))}`
    ),
    held < shards
      ? cluster.warning(
          "cluster.shards",
          `${shards - held} of ${shards} shards are held by nobody: the suites and managers in them wait`,
          "within seconds of a takeover this is normal; if it stays, restart the coordinators one after the other"
        )
      : cluster.ok("cluster.shards", `all ${shards} shards are held`)
  ]
}

const silent = ({ address }: Member) =>
  Finding.about(subjectOf(address)).error(
    "coordinator.answers",
    "it holds locks in the database and does not answer the other coordinators",
    `see whether its process hangs, and whether ${address} can be reached from the other coordinators (MUSTER_CLUSTER_HOST)`
  )

const ofOne = (facts: CoordinatorFacts) => {
  const subject = subjectOf(facts.address)
  const say = Finding.about(subject)
  return [
    say.ok("coordinator.answers", `version ${facts.version} on ${facts.hostname}, up since ${facts.startedAt}`),
    ...facts.settings.map(({ name, origin, value }) =>
      say.ok("coordinator.setting", `${name} is ${value} (${origin})`)
    ),
    Clocks.judge("clock.database", subject, "the database", facts.clock ?? undefined),
    ...Storage.judge(subject, facts.volumes)
  ]
}

const versions = (answered: ReadonlyArray<CoordinatorFacts>) => {
  const found = [...new Set(answered.map(({ version }) => version))]
  return found.length < 2
    ? []
    : [
        cluster.warning(
          "cluster.versions",
          `coordinators of different versions run together: ${few(answered.map(({ address, version }) => `${address} ${version}`))}`,
          "fine during a rolling update; else update those that are older"
        )
      ]
}

/** The two that are furthest apart say enough. */
const clocks = (answered: ReadonlyArray<CoordinatorFacts>) => {
  const known = answered.flatMap(({ address, clock }) => (clock === null ? [] : [{ address, clock }]))
  const ordered = known.toSorted((a, b) => a.clock.ahead - b.clock.ahead)
  const [first] = ordered
  const last = ordered.at(-1)
  return first === undefined || last === undefined || first === last
    ? []
    : [
        Clocks.judge(
          "clock.coordinators",
          subjectOf(last.address),
          subjectOf(first.address),
          Clocks.between(last.clock, first.clock)
        )
      ]
}
