import { PgClient } from "@effect/sql-pg"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Redacted, Schedule } from "effect"
import { execFileSync, spawn } from "node:child_process"
import * as FileSystem from "node:fs/promises"
import { createServer } from "node:net"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"
import { fileURLToPath } from "node:url"
import * as EmbeddedPostgres from "../src/EmbeddedPostgres.ts"

const isRoot = process.getuid?.() === 0

const hasSetpriv = (() => {
  try {
    execFileSync("setpriv", ["--pdeathsig", "INT", "--", "true"])
    return true
  } catch {
    return false
  }
})()

/** A directory for the test, removed at its end. Mode 700 is what root's home has: other users cannot look inside. */
const temporaryDirectory = (mode: number) =>
  Effect.acquireRelease(
    Effect.promise(async () => {
      const path = await FileSystem.mkdtemp(join(tmpdir(), "muster-postgres-"))
      await FileSystem.chmod(path, mode)
      return path
    }),
    (path) => Effect.promise(() => FileSystem.rm(path, { recursive: true, force: true }))
  )

const query = <A extends object>(running: EmbeddedPostgres.EmbeddedPostgres, text: string) =>
  Effect.flatMap(PgClient.PgClient, (sql) => sql.unsafe<A>(text)).pipe(
    Effect.provide(PgClient.layer({ url: running.url }), { local: true })
  )

const isAlive = (pid: number) =>
  FileSystem.readFile(`/proc/${pid}/stat`, "utf8").then(
    // A zombie has ended; on a machine without an init process nobody clears it away.
    (stat) => stat.slice(stat.lastIndexOf(")") + 2)[0] !== "Z",
    () => false
  )

const occupy = (port: number) =>
  Effect.acquireRelease(
    Effect.callback<ReturnType<typeof createServer>>((resume) => {
      const server = createServer()
      server.listen(port, "127.0.0.1", () => resume(Effect.succeed(server)))
    }),
    (server) => Effect.sync(() => server.close())
  )

describe("EmbeddedPostgres", () => {
  it.live("answers queries, durably and from this machine only", () =>
    Effect.gen(function* () {
      const dataDir = yield* temporaryDirectory(0o755)
      const running = yield* EmbeddedPostgres.start({ dataDir })
      const [row] = yield* query(
        running,
        `SELECT current_setting('fsync') AS fsync, current_setting('synchronous_commit') AS commit,
          current_setting('full_page_writes') AS pages, current_setting('listen_addresses') AS listen,
          current_setting('server_encoding') AS encoding, (SELECT datcollate FROM pg_database LIMIT 1) AS locale`
      )
      assert.deepStrictEqual(row, {
        fsync: "on",
        commit: "on",
        pages: "on",
        listen: "127.0.0.1",
        encoding: "UTF8",
        locale: "C"
      })
    })
  )

  it.live("refuses a wrong password", () =>
    Effect.gen(function* () {
      const dataDir = yield* temporaryDirectory(0o755)
      const { port } = yield* EmbeddedPostgres.start({ dataDir })
      const error = yield* Effect.flatMap(PgClient.PgClient, (sql) => sql`SELECT 1`).pipe(
        Effect.provide(
          PgClient.layer({ host: "127.0.0.1", port, username: "postgres", password: Redacted.make("wrong") })
        ),
        Effect.flip
      )
      assert.strictEqual(error.reason._tag, "AuthenticationError")
    })
  )

  it.live("ends with its scope, and comes back with its data on its port", () =>
    Effect.gen(function* () {
      const dataDir = yield* temporaryDirectory(0o755)
      const first = yield* Effect.scoped(
        Effect.gen(function* () {
          const running = yield* EmbeddedPostgres.start({ dataDir })
          yield* query(running, "CREATE TABLE kept AS SELECT 42 AS answer")
          return running
        })
      )
      const alive = yield* Effect.promise(() => isAlive(first.pid))
      const second = yield* EmbeddedPostgres.start({ dataDir })
      assert.isFalse(alive)
      assert.deepStrictEqual(yield* query(second, "SELECT answer FROM kept"), [{ answer: 42 }])
      assert.strictEqual(second.port, first.port)
    })
  )

  it.live("recovers on the same directory after being killed", () =>
    Effect.gen(function* () {
      const dataDir = yield* temporaryDirectory(0o755)
      const killed = yield* EmbeddedPostgres.start({ dataDir })
      yield* query(killed, "CREATE TABLE kept AS SELECT 42 AS answer")
      process.kill(killed.pid, "SIGKILL")
      // Not waiting for the end of the killed one: its backends may still hold the shared memory.
      const next = yield* EmbeddedPostgres.start({ dataDir })
      assert.deepStrictEqual(yield* killed.exit, { code: null, signal: "SIGKILL" })
      assert.deepStrictEqual(yield* query(next, "SELECT answer FROM kept"), [{ answer: 42 }])
    })
  )

  it.live("starts twice at once on different directories", () =>
    Effect.gen(function* () {
      const directories = [yield* temporaryDirectory(0o755), yield* temporaryDirectory(0o755)]
      const [one, other] = yield* Effect.all(
        directories.map((dataDir) => EmbeddedPostgres.start({ dataDir })),
        { concurrency: "unbounded" }
      )
      assert.isDefined(one)
      assert.isDefined(other)
      assert.notStrictEqual(one.port, other.port)
      assert.lengthOf(yield* query(one, "SELECT 1"), 1)
      assert.lengthOf(yield* query(other, "SELECT 1"), 1)
    })
  )

  it.live("takes another port when the one it had is taken, but never instead of the one asked for", () =>
    Effect.gen(function* () {
      const dataDir = yield* temporaryDirectory(0o755)
      const first = yield* Effect.scoped(EmbeddedPostgres.start({ dataDir }))
      yield* occupy(first.port)
      const error = yield* Effect.flip(EmbeddedPostgres.start({ dataDir, port: first.port }))
      const second = yield* EmbeddedPostgres.start({ dataDir })
      assert.strictEqual(error.reason, "PortInUse")
      assert.include(error.message, String(first.port))
      assert.notStrictEqual(second.port, first.port)
    })
  )

  it.live("refuses data of another version", () =>
    Effect.gen(function* () {
      const dataDir = yield* temporaryDirectory(0o755)
      const { directory } = yield* Effect.scoped(EmbeddedPostgres.start({ dataDir }))
      yield* Effect.promise(() => FileSystem.writeFile(join(directory, "data/PG_VERSION"), "12\n"))
      const error = yield* Effect.flip(EmbeddedPostgres.start({ dataDir }))
      assert.strictEqual(error.reason, "WrongVersion")
      assert.include(error.message, "Postgres 12")
    })
  )

  it.live.skipIf(!isRoot)("as root below a private directory, keeps its data where Postgres's user can reach it", () =>
    Effect.gen(function* () {
      const privateDirectory = yield* temporaryDirectory(0o700)
      const dataDir = join(privateDirectory, "database")
      const running = yield* EmbeddedPostgres.start({ dataDir })
      yield* Effect.addFinalizer(() =>
        Effect.promise(() => FileSystem.rm(dirname(running.directory), { recursive: true, force: true }))
      )
      const location = yield* Effect.promise(() => FileSystem.readFile(join(dataDir, "postgres-location"), "utf8"))
      const password = yield* Effect.promise(() => FileSystem.stat(join(running.directory, "superuser-password")))
      assert.strictEqual(location.trim(), running.directory)
      assert.match(running.directory, /^\/var\/lib\/muster\/[0-9a-f]{12}\/postgres$/)
      assert.strictEqual(password.mode & 0o777, 0o600)
      assert.lengthOf(yield* query(running, "SELECT 1"), 1)
    })
  )

  it.live.skipIf(!hasSetpriv)("does not outlive the process that started it, even if that is killed", () =>
    Effect.gen(function* () {
      const dataDir = yield* temporaryDirectory(0o755)
      const program = fileURLToPath(new URL("support/startPostgres.ts", import.meta.url))
      const parent = spawn(process.execPath, [program, dataDir], { stdio: ["ignore", "pipe", "inherit"] })
      const pid = yield* Effect.callback<number>((resume) => {
        parent.stdout.once("data", (text: Buffer) => resume(Effect.succeed(Number(text.toString()))))
      })
      parent.kill("SIGKILL")
      const ended = yield* Effect.promise(() => isAlive(pid)).pipe(
        Effect.repeat({ while: (alive) => alive, schedule: Schedule.spaced("20 millis") }),
        Effect.timeoutOption("10 seconds")
      )
      assert.strictEqual(ended._tag, "Some")
    })
  )
})
