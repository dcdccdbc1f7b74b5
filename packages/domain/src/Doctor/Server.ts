/**
 * The database server and what it promises: version, encoding, settings that a commit's durability hangs on, room for
 * connections, rights, standbys.
 */
import * as ByteSize from "../ByteSize.ts"
import * as Finding from "./Finding.ts"
import { few, plural, span } from "./Numbers.ts"

/** A setting as a session sees it, and where its value comes from (`pg_settings.source`). */
export interface Seen {
  readonly value: string
  readonly source: string
}

/** A setting in a session that asks for what coordinators ask for, and in one of the same role that asks for nothing. */
export interface DurabilitySetting {
  readonly name: "fsync" | "synchronous_commit" | "full_page_writes"
  readonly ours: Seen
  readonly plain: Seen
}

export interface ServerFacts {
  /** `host:port/database`, without a password. */
  readonly address: string
  readonly role: string
  readonly database: string
  readonly version: { readonly number: number; readonly name: string }
  /** Oldest major version that has what is needed. */
  readonly oldest: number
  /** It is a standby: nothing can be written. */
  readonly isStandby: boolean
  readonly encoding: string
  readonly durability: ReadonlyArray<DurabilitySetting>
  readonly connections: {
    readonly max: number
    /** Kept for superusers and reserved roles. */
    readonly reserved: number
    readonly used: number
    /** What one more coordinator would open. */
    readonly perCoordinator: number
    /** Of the role and of the database; null: no limit. */
    readonly limits: ReadonlyArray<{ readonly of: string; readonly most: number; readonly used: number }>
  }
  readonly rights: {
    /** What the role may not do, and needs to, such as `insert on events`. */
    readonly missing: ReadonlyArray<string>
    readonly seesOthers: boolean
  }
  readonly replication: {
    /** `synchronous_standby_names`. */
    readonly synchronous: string
    readonly standbys: ReadonlyArray<{
      readonly name: string
      readonly state: string
      readonly sync: string
      /** Bytes of the log that it has not replayed. */
      readonly behind: number | null
    }>
    readonly slots: ReadonlyArray<{
      readonly name: string
      readonly active: boolean
      /** Bytes of the log that are kept for it. */
      readonly kept: number | null
      /** `pg_replication_slots.wal_status`. */
      readonly status: string | null
    }>
  }
}

const subject = "database"
const say = Finding.about(subject)

export const judge = (facts: ServerFacts): ReadonlyArray<Finding.Finding> => [
  version(facts),
  role(facts),
  encoding(facts),
  ...facts.durability.map((setting) => durability(facts, setting)),
  ...connections(facts),
  ...rights(facts),
  ...replication(facts)
]

/** A database that could not be asked at all. */
export const unreachable = (reason: string): Finding.Finding =>
  say.error(
    "database.reachable",
    reason,
    "see whether it runs and whether --database-url, MUSTER_DATABASE_URL or the profile name it rightly"
  )

const version = ({ address, oldest, version: { name, number } }: ServerFacts) =>
  Math.floor(number / 10_000) < oldest
    ? say.error(
        "database.version",
        `${address} is Postgres ${name}; at least ${oldest} is needed`,
        `move it to Postgres ${oldest} or newer (pg_upgrade, or pg_dump and restore)`
      )
    : say.ok("database.version", `${address} is Postgres ${name} (at least ${oldest} is needed)`)

const role = ({ isStandby }: ServerFacts) =>
  isStandby
    ? say.error(
        "database.writable",
        "it is a standby: nothing can be written",
        "name the primary in the URL, or promote this server (`select pg_promote()`)"
      )
    : say.ok("database.writable", "it is a primary: it can be written to")

const encoding = ({ encoding: found }: ServerFacts) =>
  found === "UTF8"
    ? say.ok("database.encoding", "its encoding is UTF8")
    : say.error(
        "database.encoding",
        `its encoding is ${found}; texts that it does not have are refused, and so are the tasks that contain them`,
        "make a database with `create database … encoding 'UTF8' template template0` and move the data there"
      )

/** What each setting is for, and the values with which a commit that was answered can be lost. */
const meanings: { readonly [Name in DurabilitySetting["name"]]: { readonly bad: string; readonly what: string } } = {
  fsync: { bad: "off", what: "a crash of the machine can destroy the whole database" },
  synchronous_commit: { bad: "off", what: "a crash of the server loses commits that were answered" },
  full_page_writes: { bad: "off", what: "a crash of the machine can leave torn pages behind" }
}

/** How a setting that comes from there is changed for good. */
const mend = (name: string, { source }: Seen, { database, role: user }: ServerFacts): string => {
  switch (source) {
    case "user":
      return `alter role "${user}" reset ${name}`
    case "database":
      return `alter database "${database}" reset ${name}`
    case "database user":
      return `alter role "${user}" in database "${database}" reset ${name}`
    case "client":
      return `take ${name} out of the options of the database URL`
    case "command line":
      return `start the server without ${name} on its command line`
    default:
      return `alter system set ${name} = on, and select pg_reload_conf()`
  }
}

const durability = (facts: ServerFacts, { name, ours, plain }: DurabilitySetting) => {
  const check = `database.${name}`
  const { bad, what } = meanings[name]
  if (ours.value === bad) {
    return say.error(check, `${name} is ${bad} (from ${ours.source}): ${what}`, mend(name, ours, facts))
  }
  if (plain.value === bad) {
    return say.warning(
      check,
      `${name} is ${bad} by default (from ${plain.source}); coordinators ask for ${ours.value}, which a pooler between may not pass on`,
      mend(name, plain, facts)
    )
  }
  return say.ok(check, `${name} is ${ours.value}`)
}

/** With fewer left, a coordinator that starts may find none. */
const fewConnections = 3

const connections = ({ connections: { limits, max, perCoordinator, reserved, used } }: ServerFacts) => {
  const all = [{ of: "the server (max_connections)", most: max - reserved, used }, ...limits]
  return all.map(({ most, of, used: taken }) => {
    const left = Math.max(0, most - taken)
    const what = `${plural(left, "connection")} of ${most} are left for ${of}; a coordinator opens up to ${perCoordinator}`
    if (left < fewConnections) {
      return say.error(
        "database.connections",
        what,
        "raise max_connections or the limit, end sessions that nobody needs, or lower MUSTER_DATABASE_CONNECTIONS"
      )
    }
    return left < perCoordinator
      ? say.warning("database.connections", what, "raise the limit before another coordinator is started")
      : say.ok("database.connections", what)
  })
}

const rights = ({ rights: { missing, seesOthers }, role: user }: ServerFacts) => [
  missing.length === 0
    ? say.ok("database.rights", `${user} has all rights that coordinators need`)
    : say.error(
        "database.rights",
        `${user} lacks: ${few(missing)}`,
        `grant them, or make "${user}" the owner of the schema and its tables`
      ),
  seesOthers
    ? say.ok("database.monitor", `${user} sees the sessions of others`)
    : say.warning(
        "database.monitor",
        `${user} does not see what sessions of other roles do, so long transactions of theirs go unnoticed here`,
        `grant pg_monitor to "${user}"`
      )
]

/** Kept log that may fill the disk. Bytes. */
const muchLog = 1024 ** 3

const replication = ({ replication: { slots, standbys, synchronous } }: ServerFacts) => {
  const findings: Array<Finding.Finding> = []
  const inSync = standbys.filter(({ sync }) => sync === "sync" || sync === "quorum")
  if (synchronous !== "" && inSync.length === 0) {
    findings.push(
      say.error(
        "database.replication",
        `synchronous_standby_names is ${JSON.stringify(synchronous)} and no standby is in sync: every commit waits`,
        "bring the standby back, or take it out of synchronous_standby_names and reload"
      )
    )
  }
  for (const { behind, name, state, sync } of standbys) {
    const what = `standby ${name} is ${state} (${sync})${behind === null ? "" : `, ${ByteSize.rounded(behind)} behind`}`
    findings.push(
      state !== "streaming" || (behind ?? 0) > muchLog
        ? say.warning(
            "database.replication",
            what,
            "see its log and the network between; a failover now would lose that much"
          )
        : say.ok("database.replication", what)
    )
  }
  for (const { active, kept, name, status } of slots) {
    const what = `slot ${name} is ${active ? "in use" : "not in use"}${kept === null ? "" : `, ${ByteSize.rounded(kept)} of the log kept for it`}`
    if (status === "lost") {
      findings.push(
        say.error(
          "database.slots",
          `${what}; what it needed is gone`,
          `make the standby anew, and drop the slot: select pg_drop_replication_slot('${name}')`
        )
      )
    } else if (!active && (kept ?? 0) > muchLog) {
      findings.push(
        say.warning("database.slots", what, `if nobody comes back for it: select pg_drop_replication_slot('${name}')`)
      )
    } else findings.push(say.ok("database.slots", what))
  }
  if (findings.length === 0) findings.push(say.ok("database.replication", "no standby follows it"))
  return findings
}

/** A transaction, and whether readers of the log wait for it. */
export interface Transaction {
  /** `process 4711 of alice (psql)`, `prepared transaction foo`. */
  readonly who: string
  /** How to end it. */
  readonly end: string
  readonly milliseconds: number
  readonly isIdle: boolean
  /** It has written, or may have: what was committed after its begin is not given to readers of the log before its end. */
  readonly holdsLog: boolean
}

/** Transactions of Muster take milliseconds. */
const longTransaction = 60_000
const veryLongTransaction = 300_000

export const judgeTransactions = (transactions: ReadonlyArray<Transaction>): ReadonlyArray<Finding.Finding> => {
  const long = transactions.filter(({ milliseconds }) => milliseconds >= longTransaction)
  if (long.length === 0) {
    return [say.ok("database.transactions", `no transaction is older than ${span(longTransaction)}`)]
  }
  return long.map(({ end, holdsLog, isIdle, milliseconds, who }) => {
    const since = `${who} has had a transaction open for ${span(milliseconds)}${isIdle ? " and does nothing" : ""}`
    if (!holdsLog) {
      return say.warning("database.transactions", `${since}: dead rows cannot be cleaned up meanwhile`, end)
    }
    const what = `${since}: histories and \`event tail\` stand still until it ends`
    return milliseconds >= veryLongTransaction
      ? say.error("database.transactions", what, end)
      : say.warning("database.transactions", what, end)
  })
}
