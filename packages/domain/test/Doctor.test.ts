import { assert, describe, it } from "@effect/vitest"
import { Schema as S } from "effect"
import * as Clocks from "@muster/domain/Doctor/Clocks"
import * as Coordinators from "@muster/domain/Doctor/Coordinators"
import type { Finding } from "@muster/domain/Doctor/Finding"
import * as Leases from "@muster/domain/Doctor/Leases"
import * as Machine from "@muster/domain/Doctor/Machine"
import * as ReadModels from "@muster/domain/Doctor/ReadModels"
import * as Schema from "@muster/domain/Doctor/Schema"
import * as Server from "@muster/domain/Doctor/Server"
import * as Storage from "@muster/domain/Doctor/Storage"
import type { LeaseTerms } from "@muster/domain/Suite/Spec"

/** Severities of the findings of a check. */
const of = (found: ReadonlyArray<Finding>, check: string) =>
  found.filter((finding) => finding.check === check).map(({ severity }) => severity)

/** Whatever is wrong comes with what to do, in single lines. */
const areWellFormed = (found: ReadonlyArray<Finding>) => {
  for (const { next, severity, what } of found) {
    assert.strictEqual(next === null, severity === "ok", what)
    assert.notMatch(`${what}${next}`, /\n|undefined|NaN/)
  }
}

const server = (change: Partial<Server.ServerFacts> = {}): Server.ServerFacts => ({
  address: "db:5432/muster",
  role: "muster",
  database: "muster",
  version: { number: 180_004, name: "18.4" },
  oldest: 15,
  isStandby: false,
  encoding: "UTF8",
  durability: (["fsync", "synchronous_commit", "full_page_writes"] as const).map((name) => ({
    name,
    ours: { value: "on", source: "default" },
    plain: { value: "on", source: "default" }
  })),
  connections: { max: 100, reserved: 3, used: 20, perCoordinator: 11, limits: [] },
  rights: { missing: [], seesOthers: true },
  replication: { synchronous: "", standbys: [], slots: [] },
  ...change
})

const judged = (change: Partial<Server.ServerFacts>, check: string) => {
  const found = Server.judge(server(change))
  areWellFormed(found)
  return of(found, check)
}

const off = (plain: string, ours: string, source = "user") => ({
  durability: [{ name: "synchronous_commit" as const, ours: { value: ours, source }, plain: { value: plain, source } }]
})

describe("the doctor judges the database server", () => {
  it("finds nothing wrong with one that is well", () => {
    assert.deepStrictEqual(
      Server.judge(server()).filter(({ severity }) => severity !== "ok"),
      []
    )
  })

  it("knows versions, standbys, encodings", () => {
    assert.deepStrictEqual(judged({ version: { number: 140_009, name: "14.9" } }, "database.version"), ["error"])
    assert.deepStrictEqual(judged({ version: { number: 150_000, name: "15.0" } }, "database.version"), ["ok"])
    assert.deepStrictEqual(judged({ isStandby: true }, "database.writable"), ["error"])
    assert.deepStrictEqual(judged({ encoding: "SQL_ASCII" }, "database.encoding"), ["error"])
  })

  it("tells what is not durable from what only would not be without asking, and where to change it", () => {
    assert.deepStrictEqual(judged(off("off", "off"), "database.synchronous_commit"), ["error"])
    assert.deepStrictEqual(judged(off("off", "on"), "database.synchronous_commit"), ["warning"])
    assert.deepStrictEqual(judged(off("remote_apply", "on"), "database.synchronous_commit"), ["ok"])
    const next = (source: string) =>
      Server.judge(server(off("off", "off", source))).find(({ severity }) => severity === "error")?.next
    assert.strictEqual(next("user"), 'alter role "muster" reset synchronous_commit')
    assert.strictEqual(next("database"), 'alter database "muster" reset synchronous_commit')
    assert.strictEqual(next("database user"), 'alter role "muster" in database "muster" reset synchronous_commit')
    assert.match(next("configuration file") ?? "", /^alter system set/)
  })

  it("counts the connections that are left", () => {
    const left = (used: number) =>
      judged({ connections: { max: 100, reserved: 3, used, perCoordinator: 11, limits: [] } }, "database.connections")
    assert.deepStrictEqual(
      [left(86), left(87), left(94), left(95), left(200)],
      [["ok"], ["warning"], ["warning"], ["error"], ["error"]]
    )
    const limits = [{ of: "the role muster", most: 5, used: 4 }]
    assert.deepStrictEqual(
      judged({ connections: { max: 100, reserved: 3, used: 4, perCoordinator: 2, limits } }, "database.connections"),
      ["ok", "error"]
    )
  })

  it("misses rights", () => {
    assert.deepStrictEqual(
      judged({ rights: { missing: ["insert on events"], seesOthers: false } }, "database.rights"),
      ["error"]
    )
    assert.deepStrictEqual(judged({ rights: { missing: [], seesOthers: false } }, "database.monitor"), ["warning"])
  })

  it("looks at standbys and what is kept for them", () => {
    const standby = { name: "b", state: "streaming", sync: "sync", behind: 0 }
    const replicated = (replication: Partial<Server.ServerFacts["replication"]>, check: string) =>
      judged({ replication: { synchronous: "", standbys: [], slots: [], ...replication } }, check)
    assert.deepStrictEqual(replicated({ synchronous: "b" }, "database.replication"), ["error"])
    assert.deepStrictEqual(replicated({ synchronous: "b", standbys: [standby] }, "database.replication"), ["ok"])
    assert.deepStrictEqual(replicated({ standbys: [{ ...standby, state: "catchup" }] }, "database.replication"), [
      "warning"
    ])
    assert.deepStrictEqual(replicated({ standbys: [{ ...standby, behind: 2 ** 31 }] }, "database.replication"), [
      "warning"
    ])
    const slot = { name: "s", active: false, kept: 2 ** 31, status: "extended" }
    assert.deepStrictEqual(replicated({ slots: [slot] }, "database.slots"), ["warning"])
    assert.deepStrictEqual(replicated({ slots: [{ ...slot, status: "lost" }] }, "database.slots"), ["error"])
    assert.deepStrictEqual(replicated({ slots: [{ ...slot, kept: 100 }] }, "database.slots"), ["ok"])
  })

  it("minds transactions by their age, and more if the log waits for them", () => {
    const age = (milliseconds: number, holdsLog: boolean) => {
      const found = Server.judgeTransactions([{ who: "p", end: "end it", milliseconds, isIdle: true, holdsLog }])
      areWellFormed(found)
      return found.map(({ severity }) => severity)
    }
    assert.deepStrictEqual(age(59_999, true), ["ok"])
    assert.deepStrictEqual(age(60_000, true), ["warning"])
    assert.deepStrictEqual(age(300_000, true), ["error"])
    assert.deepStrictEqual(age(3_000_000, false), ["warning"])
  })
})

describe("the doctor judges what stands in the database", () => {
  it("knows steps that are missing, changed or from a newer program", () => {
    const facts = { schema: "muster", applied: 6, supported: 6, pending: [], changed: [] }
    const severity = (change: Partial<Schema.SchemaFacts>) => {
      const found = Schema.judge({ ...facts, ...change })
      areWellFormed(found)
      return found.map((finding) => finding.severity)
    }
    assert.deepStrictEqual(severity({}), ["ok"])
    assert.deepStrictEqual(severity({ applied: null }), ["warning"])
    assert.deepStrictEqual(severity({ applied: 7 }), ["error"])
    assert.deepStrictEqual(severity({ applied: 5, pending: ["6 six"] }), ["warning"])
    assert.deepStrictEqual(severity({ changed: ["2 two"] }), ["error"])
  })

  it("minds histories that are late or of another version", () => {
    const severity = (change: Partial<Schema.Subscription>) => {
      const found = Schema.judgeSubscriptions([
        { projection: "p", stored: 2, known: 2, events: 3, milliseconds: 0, ...change }
      ])
      areWellFormed(found)
      return found.map((finding) => finding.severity)
    }
    assert.deepStrictEqual(severity({ milliseconds: 59_000 }), ["ok"])
    assert.deepStrictEqual(severity({ milliseconds: 60_000 }), ["warning"])
    assert.deepStrictEqual(severity({ milliseconds: 3_600_000 }), ["error"])
    assert.deepStrictEqual(severity({ stored: 3 }), ["warning"])
    assert.deepStrictEqual(severity({ stored: 1 }), ["warning"])
    assert.deepStrictEqual(severity({ stored: null }), ["ok"])
  })

  it("gives leases, assignments and cancellations their time", () => {
    const one = { suiteId: "s", managerId: "m", epoch: 1, tasks: 2 }
    const severity = (milliseconds: number | null, terms: LeaseTerms = {}) => {
      const found = Leases.judge({
        leases: [{ ...one, milliseconds, terms }],
        assignments: [{ ...one, milliseconds, terms }],
        cancelling: milliseconds === null ? [] : [{ ...one, milliseconds }]
      })
      areWellFormed(found)
      return found.map((finding) => finding.severity)
    }
    assert.deepStrictEqual(severity(59_999), ["ok", "ok", "ok"])
    assert.deepStrictEqual(severity(60_000), ["error", "warning", "ok"])
    assert.deepStrictEqual(severity(300_000), ["error", "warning", "warning"])
    assert.deepStrictEqual(severity(null), ["error", "warning", "ok"])
    // Nobody may have these before the machine that was cut off must have ended them: 102 s later.
    const stop = { onDisconnect: "stop", leaseDuration: 100_000 } as const
    assert.deepStrictEqual(severity(161_999, stop), ["ok", "ok", "ok"])
    assert.deepStrictEqual(severity(162_000, stop), ["error", "warning", "ok"])
  })

  it("says how much of the read models it has compared", () => {
    const compared = {
      name: "suites",
      streams: 3,
      of: 9,
      passedOver: 0,
      events: 5,
      rows: 7,
      differing: 0,
      examples: [],
      isSample: true
    }
    const [well] = ReadModels.judge([compared])
    assert.strictEqual(well?.severity, "ok")
    assert.include(well?.what ?? "", "a sample of 3 of 9 streams")
    const [ill] = ReadModels.judge([{ ...compared, differing: 1, examples: ["tasks 1"] }])
    assert.strictEqual(ill?.severity, "error")
    assert.include(ill?.what ?? "", "tasks 1")
  })
})

describe("the doctor judges machines", () => {
  it("minds the room on disks of any size", () => {
    const space = (free: number, total: number) =>
      Storage.judge("m", [{ holds: "it", path: "/x", bytes: { free, total }, inodes: null }]).map(
        ({ severity }) => severity
      )
    const gib = 1024 ** 3
    assert.deepStrictEqual(space(50 * gib, 100 * gib), ["ok"])
    assert.deepStrictEqual(space(9 * gib, 100 * gib), ["warning"])
    assert.deepStrictEqual(space(1 * gib, 100 * gib), ["error"])
    // A twentieth of 10 TiB is plenty.
    assert.deepStrictEqual(space(500 * gib, 10_000 * gib), ["ok"])
    assert.deepStrictEqual(space(0.5 * gib, 2 * gib), ["warning"])
    assert.deepStrictEqual(space(0.05 * gib, 2 * gib), ["error"])
    const inodes = (free: number) =>
      Storage.judge("m", [
        { holds: "it", path: "/x", bytes: { free: gib * 50, total: gib * 100 }, inodes: { free, total: 1_000 } }
      ])
    assert.deepStrictEqual(
      [500, 99, 19].map((free) => of(inodes(free), "disk.inodes")),
      [["ok"], ["warning"], ["error"]]
    )
    areWellFormed(inodes(1))
  })

  const machine = (change: Partial<Machine.MachineFacts>) => {
    const found = Machine.judge({
      files: [],
      settings: [{ name: "url", value: "http://x", origin: "default" }],
      mistyped: [],
      launcher: { problem: null },
      canTieChildren: true,
      cgroups: { version: 2, isWritable: true, controllers: ["cpu"] },
      limits: { files: { soft: 65_536, hard: null }, processes: { soft: null, hard: null } },
      ...change
    })
    areWellFormed(found)
    return found
  }

  it("wants secrets closed and directories usable", () => {
    const file = (kind: Machine.File["kind"], mode: number, more: Partial<Machine.File> = {}) =>
      of(
        machine({ files: [{ check: "f", what: "it", path: "/f", kind, found: { mode, isUsable: true }, ...more }] }),
        "f"
      )
    assert.deepStrictEqual(file("secret", 0o600), ["ok"])
    assert.deepStrictEqual(file("secret", 0o400), ["ok"])
    for (const mode of [0o640, 0o604, 0o644, 0o620, 0o666]) assert.deepStrictEqual(file("secret", mode), ["error"])
    assert.deepStrictEqual(file("private", 0o700), ["ok"])
    assert.deepStrictEqual(file("private", 0o750), ["warning"])
    assert.deepStrictEqual(file("shared", 0o755), ["ok"])
    assert.deepStrictEqual(file("shared", 0o777), ["warning"])
    assert.deepStrictEqual(file("secret", 0o600, { found: { mode: 0o600, isUsable: false } }), ["error"])
    assert.deepStrictEqual(file("secret", 0o600, { problem: "no JSON" }), ["error"])
    assert.deepStrictEqual(file("secret", 0o600, { found: null }), ["ok"])
  })

  it("says what the system does not let Muster do", () => {
    assert.deepStrictEqual(of(machine({ launcher: { problem: "EACCES" } }), "machine.launcher"), ["warning"])
    assert.deepStrictEqual(of(machine({ canTieChildren: false }), "machine.children"), ["warning"])
    assert.deepStrictEqual(of(machine({ mistyped: [{ name: "A", meant: "B" }] }), "settings.unknown"), ["warning"])
    const limits = { files: { soft: 1_024, hard: 4_096 }, processes: { soft: 100, hard: 100 } }
    const found = machine({ limits })
    assert.deepStrictEqual([of(found, "machine.files"), of(found, "machine.processes")], [["warning"], ["warning"]])
    for (const version of [0, 1, 2] as const) {
      assert.deepStrictEqual(
        of(machine({ cgroups: { version, isWritable: false, controllers: [] } }), "machine.cgroups"),
        ["ok"]
      )
    }
  })
})

describe("the doctor judges clocks", () => {
  const Trip = S.Struct({ sent: S.Int, there: S.Int, back: S.Int })
  const long = 1e6

  it.prop("by bounds that always hold the truth", [S.Int, S.Array(Trip)], ([number, trips]) => {
    const ahead = (number % long) + 0.25
    const offset = Clocks.offsetOf(
      // Both clocks tell whole milliseconds.
      trips.map(({ back, sent, there }) => {
        const arrival = Math.abs(sent % long) + Math.abs(there % 1_000) / 3
        return {
          sent: Math.floor(Math.abs(sent % long) + ahead),
          there: Math.floor(arrival),
          received: Math.floor(arrival + Math.abs(back % 1_000) / 7 + ahead)
        }
      })
    )
    if (trips.length === 0) return assert.isUndefined(offset)
    assert.isAtMost(Math.abs((offset?.ahead ?? Number.NaN) - ahead), (offset?.uncertainty ?? 0) + 1e-6)
  })

  it("and says only what is certain", () => {
    const judge = (ahead: number, uncertainty: number) =>
      Clocks.judge("clock", "a", "b", { ahead, uncertainty }).severity
    assert.deepStrictEqual(
      [judge(900, 1), judge(-1_500, 1), judge(1_500, 600), judge(-70_000, 5), judge(0, 90_000)],
      ["ok", "warning", "ok", "error", "warning"]
    )
    assert.strictEqual(Clocks.judge("clock", "a", "b", undefined).severity, "warning")
    assert.isUndefined(Clocks.offsetOf([]))
  })
})

describe("the doctor judges a cluster", () => {
  const facts = (
    address: string,
    change: Partial<Coordinators.CoordinatorFacts> = {}
  ): Coordinators.CoordinatorFacts => ({
    address,
    runner: address,
    version: "1.0.0",
    hostname: "h",
    startedAt: "2026-01-31T00:00:00.000Z",
    settings: [],
    clock: { ahead: 0, uncertainty: 1 },
    volumes: [],
    ...change
  })
  const judge = (members: ReadonlyArray<Coordinators.Member>, isFromOutside = false) => {
    const found = Coordinators.judge({ members, shards: 100, isFromOutside })
    areWellFormed(found)
    return found
  }

  it("by who is there, who answers, and how they differ", () => {
    assert.deepStrictEqual(of(judge([]), "cluster.coordinators"), ["error"])
    const two = [
      { address: "a", shards: 50, facts: facts("a") },
      { address: "b", shards: 50, facts: facts("b", { version: "1.1.0", clock: { ahead: 2_000, uncertainty: 1 } }) }
    ]
    assert.deepStrictEqual(of(judge(two), "cluster.shards"), ["ok"])
    assert.deepStrictEqual(of(judge(two), "cluster.versions"), ["warning"])
    assert.deepStrictEqual(of(judge(two), "clock.coordinators"), ["warning"])
    const silent = [{ address: "a", shards: 40, facts: null }]
    assert.deepStrictEqual(of(judge(silent), "coordinator.answers"), ["error"])
    assert.deepStrictEqual(of(judge(silent, true), "coordinator.answers"), [])
    assert.deepStrictEqual(of(judge(silent), "cluster.shards"), ["warning"])
  })
})
