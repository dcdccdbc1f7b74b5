/**
 * Where secrets are not: a whole system is started with secrets that can be found again, used and misused, and then
 * everything that it wrote and everything that others can see of it is searched for them.
 */
import { spawn } from "node:child_process"
import { readFileSync, readdirSync } from "node:fs"
import { get } from "node:https"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { PgClient } from "@effect/sql-pg"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Redacted, Stream } from "effect"
// A package gives its sources away by name, and a test needs what stands beside them.
// oxlint-disable-next-line no-restricted-imports
import * as Certificates from "../../packages/server/test/support/Certificates.ts"
import * as Process from "./support/Process.ts"
import * as System from "./support/System.ts"
import * as Wait from "./support/Wait.ts"

const muster = fileURLToPath(new URL("../../packages/cli/bin/muster.js", import.meta.url))

/** As it is, and as it may have been written down. */
const formsOf = (secret: string): ReadonlyArray<string> => [
  secret,
  encodeURIComponent(secret),
  Buffer.from(secret).toString("base64").replace(/=+$/, ""),
  Buffer.from(secret).toString("hex")
]

/** Command lines of all processes of the machine: anybody can read them. */
const commandLines = (): ReadonlyArray<string> =>
  readdirSync("/proc").flatMap((entry) => {
    if (!/^\d+$/.test(entry)) return []
    try {
      return [readFileSync(`/proc/${entry}/cmdline`, "utf8").replaceAll("\0", " ")]
    } catch {
      return []
    }
  })

const filesBelow = (directory: string): ReadonlyArray<string> =>
  readdirSync(directory, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))

const metrics = (url: string, token: string) =>
  Effect.callback<string>((resume) => {
    get(
      `${url}/metrics`,
      { rejectUnauthorized: false, agent: false, headers: { authorization: `Bearer ${token}` } },
      (response) => {
        let text = `${response.statusCode} `
        response.on("data", (data: Buffer) => {
          text += data.toString()
        })
        response.on("end", () => resume(Effect.succeed(text)))
      }
    )
  })

/** What a program wrote until it ended. */
const run = (args: ReadonlyArray<string>, env: Readonly<Record<string, string>>) =>
  Effect.callback<string>((resume) => {
    const child = spawn(process.execPath, [muster, ...args], {
      env: { PATH: process.env["PATH"] ?? "", HOME: "/nonexistent", MUSTER_DEBUG: "1", ...env }
    })
    let output = ""
    for (const stream of [child.stdout, child.stderr]) {
      stream.on("data", (data: Buffer) => {
        output += data.toString()
      })
    }
    child.once("close", () => resume(Effect.succeed(output)))
    return Effect.sync(() => void child.kill("SIGKILL"))
  })

/** All rows of all tables, but what is a secret's own place: the hash of a token, and the key that coordinators share. */
const allRows = (url: string) =>
  Effect.gen(function* () {
    const sql = yield* PgClient.PgClient
    const tables = yield* sql<{ name: string }>`
      select quote_ident(schemaname) || '.' || quote_ident(tablename) as name from pg_tables
      where schemaname not in ('pg_catalog', 'information_schema') and tablename <> 'cluster_key'`
    const rows = yield* Effect.forEach(tables, ({ name }) =>
      sql.unsafe<{ row: string }>(`select t::text as row from ${name} as t`)
    )
    return rows.flat().map(({ row }) => row)
  }).pipe(Effect.provide(PgClient.layer({ url: Redacted.make(url) }), { local: true }), Effect.orDie)

describe("a system's secrets", () => {
  it.live("are in no log, no event, no row, no metric, no message and no command line, and reach no task", () =>
    Effect.gen(function* () {
      const system = yield* System.make
      const directory = yield* Process.directory("secrets")
      const authority = Certificates.authority()
      const server = Certificates.server(authority)
      const files = Certificates.save(directory, "server", server)
      const caFile = Certificates.save(directory, "authority", authority).cert
      const coordinator = yield* system.coordinator({
        secure: true,
        env: { MUSTER_TLS_CERT: files.cert, MUSTER_TLS_KEY: files.key }
      })
      const manager = yield* system.manager({ urls: [coordinator.url], env: { MUSTER_TLS_CA: caFile } })
      const client = yield* system.client(coordinator.url, { caFile })
      const { token: made } = yield* client.createToken("made", "admin")

      // Tasks that look for what they should not find, one that fails and one that cannot be started.
      const suite = yield* client.createSuite({})
      yield* client.submit(suite.id, [
        { program: "env" },
        { program: "sh", args: ["-c", "cat /proc/self/environ /proc/$PPID/environ; exit 3"] },
        { program: "/no/such/program" }
      ])
      yield* client.closeSuite(suite.id)
      yield* client.wait(suite.id, { timeout: "30 seconds" })
      const outputs = yield* Stream.runCollect(client.results(suite.id))

      // Everybody is refused once, by the secret that they show.
      const password = new URL(system.postgres.url).password
      const wrongDatabase = system.postgres.url.replace(password, `${password}x`)
      const wrong = `${system.adminToken}x`
      const messages = yield* Effect.all(
        [
          run(["suite", "list", "--url", coordinator.url, "--tls-ca", caFile], { MUSTER_TOKEN: wrong }),
          run(["suite", "list", "--url", "http://127.0.0.1:1"], { MUSTER_TOKEN: system.adminToken }),
          run(["config", "view"], { MUSTER_TOKEN: system.adminToken, MUSTER_DATABASE_URL: system.postgres.url }),
          run(["server", "start", "--port", "0"], { MUSTER_DATABASE_URL: wrongDatabase }),
          run(["admin", "rebuild", "--check"], { MUSTER_DATABASE_URL: wrongDatabase })
        ],
        { concurrency: 2 }
      )
      assert.isTrue(messages.every((message) => message.length > 20))

      // Given by a flag, it is soon gone from where others can read it.
      const byFlag = yield* Effect.acquireRelease(
        Effect.sync(() =>
          spawn(
            process.execPath,
            [muster, "manager", "start", "--url", coordinator.url, "--token", made, "--directory", directory],
            {
              env: { PATH: process.env["PATH"] ?? "" },
              stdio: "ignore"
            }
          )
        ),
        (child) => Effect.sync(() => child.kill("SIGKILL"))
      )
      yield* Wait.until(
        "its command line shows no token",
        Effect.sync(() => readFileSync(`/proc/${byFlag.pid}/cmdline`, "utf8")),
        (line) => line.includes("--token ***") && !line.includes(made)
      )

      const seen: ReadonlyArray<readonly [where: string, text: string]> = [
        ["the coordinator's log", coordinator.output()],
        ["the manager's log", manager.output()],
        ...messages.map((message, place) => [`message ${place}`, message] as const),
        ["the metrics", yield* metrics(coordinator.url, system.adminToken)],
        ["what clients read", JSON.stringify(outputs)],
        ...(yield* Effect.map(Stream.runCollect(client.listEvents({})), (events) =>
          events.map((event) => [`event ${event.position}`, JSON.stringify(event)] as const)
        )),
        ...(yield* Effect.map(allRows(system.postgres.url), (rows) => rows.map((row) => ["a row", row] as const))),
        ...commandLines().map((line) => ["a command line", line] as const),
        ...filesBelow(manager.directory).map((file) => [file, readFileSync(file, "latin1")] as const),
        ...filesBelow(join(system.home, "data"))
          .filter((file) => file.endsWith(".log"))
          .map((file) => [file, readFileSync(file, "latin1")] as const)
      ]
      assert.include(seen.find(([where]) => where === "the metrics")?.[1], "200 ")
      assert.include(JSON.stringify(outputs), "PATH=")

      const secrets = {
        "the admin's token": system.adminToken,
        "the managers' token": system.enrolmentToken,
        "a token that was made": made,
        "the database's password": password,
        "the certificate's key": server.key.split("\n")[1] ?? ""
      }
      const found = Object.entries(secrets).flatMap(([name, secret]) => {
        assert.isAbove(secret.length, 15)
        return seen
          .filter(([, text]) => formsOf(secret).some((form) => text.includes(form)))
          .map(([where]) => `${name} in ${where}`)
      })
      assert.deepStrictEqual([...new Set(found)], [])
    })
  )
})
