/** What bad input gets: one line that names field, value and what is allowed, one line of advice, an exit code. */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { inject } from "vitest"
import { mkdtemp, readdir, rm, writeFile } from "node:fs/promises"
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import * as Muster from "./support/Muster.ts"

const unknownSuite = "0000000000000000"

/** Runs a command that has to be refused, in the form in which everything is refused. */
const refuse = (args: ReadonlyArray<string>, options?: Parameters<typeof Muster.run>[1]) =>
  Effect.map(Muster.run(args, options), (result) => {
    assert.match(result.err, /^muster: .+\n( {8}.+\n)?$/, "one line, and one of advice")
    assert.notMatch(result.err, / at .*\.ts:\d/, "no stack trace")
    assert.strictEqual(result.out, "")
    return { code: result.code, line: result.err.split("\n")[0]?.slice("muster: ".length) ?? "" }
  })

const directory = Effect.acquireRelease(
  Effect.promise(() => mkdtemp(join(tmpdir(), "muster-failures-"))),
  (path) => Effect.promise(() => rm(path, { recursive: true }))
)

describe("a command line that is wrong ends 2", () => {
  const cases: ReadonlyArray<readonly [command: string, line: string | RegExp]> = [
    ["suite lst", /^there is no command `muster suite lst`; did you mean list/],
    ["suite list --bogus", "there is no flag --bogus"],
    ["suite list -o yaml", /^--output is "yaml"; allowed: .*table.*json.*jsonl.*ids/],
    ["suite list --filter colour=red", /^--filter is "colour=red"; allowed: .* state, name, label, tag$/],
    ["suite list --filter state=odd", '--filter is "state=odd"; allowed: open, closed, complete, cancelled'],
    ["suite list --limit 0", '--limit is "0"; allowed: a whole number from 1 to 1000000000'],
    ["suite get", "<suite> is missing"],
    ["task list", "--suite is missing"],
    ["suite create --workers 300", '--workers is "300"; allowed: a whole number from 1 to 256'],
    ["suite create --workers 0", '--workers is "0"; allowed: a whole number from 1 to 256'],
    ["run --workers 257 -- true", '--workers is "257"; allowed: a whole number from 1 to 256'],
    ["run --timeout=-5s -- true", /^--timeout is "-5s"; allowed: a duration such as 500ms/],
    ["run --timeout soon -- true", /^--timeout is "soon"; allowed: a duration such as 500ms/],
    ["run --on-disconnect maybe -- true", /^--on-disconnect is "maybe"; allowed: .*keep.*stop/],
    [
      "suite create --on-disconnect stop --lease-duration 4s",
      '--lease-duration is "4s"; allowed: a duration such as 500ms, 90s, 5m or 1h30m, from 5s to 1d'
    ],
    ["suite create --lease-duration 30s", 'leaseDuration is 30000; allowed: nothing without onDisconnect: "stop"'],
    ["run --lease-duration 30s -- true", 'leaseDuration is 30000; allowed: nothing without onDisconnect: "stop"'],
    ["run --retries 101 -- true", '--retries is "101"; allowed: a whole number from 0 to 100'],
    ["run --tags a\tb -- true", /^--tags is "a\\tb"; allowed: up to 64 words/],
    ["run --env FOO -- true", '--env is "FOO"; allowed: NAME=VALUE'],
    ["run", "there is no program to run"],
    ["run -- ", 'the program is ""; allowed: a name or a path'],
    ["run -- echo {}", "there are replacement strings but no inputs"],
    ["run --handler x ::: {bad", /^input 1 is "\{bad"; allowed: JSON/],
    ["dev --port 70000", '--port is "70000"; allowed: a whole number from 0 to 65535'],
    ["dev --workers 999", '--workers is "999"; allowed: a whole number from 1 to 256'],
    ["completion tcsh", /^<shell> is "tcsh"; allowed: .*bash.*zsh.*fish/],
    ["suite list --url ftp://x", 'url is "ftp://x"; allowed: an address such as http://127.0.0.1:7117']
  ]
  for (const [command, line] of cases) {
    it.live(command, () =>
      Effect.gen(function* () {
        const refused = yield* refuse(command.split(" "))
        if (typeof line === "string") assert.strictEqual(refused.line, line)
        else assert.match(refused.line, line)
        assert.strictEqual(refused.code, 2)
      })
    )
  }

  it.live("and makes nothing", () =>
    Effect.gen(function* () {
      // Other files make suites on the same Muster meanwhile, so those of this test have a name of their own.
      const name = "refused"
      for (const [command] of cases) yield* Muster.run(command.replace(/^run\b/, `run --name ${name}`).split(" "))
      assert.deepStrictEqual(yield* Muster.json(["suite", "list", "--filter", `name=${name}`]), [])
    })
  )
})

describe("what is not there ends 4", () => {
  const cases: ReadonlyArray<readonly [command: string, line: string | RegExp]> = [
    [`suite get ${unknownSuite}`, `there is no suite ${unknownSuite}`],
    [`suite wait ${unknownSuite}`, `there is no suite ${unknownSuite}`],
    [`suite cancel ${unknownSuite}`, `there is no suite ${unknownSuite}`],
    [`task list --suite ${unknownSuite}`, `there is no suite ${unknownSuite}`],
    [`task get ${unknownSuite}.0`, /^there is no (suite|task) 0{16}/],
    [`task logs ${unknownSuite}.0`, /^there is no (suite|task) 0{16}/],
    ["manager get 0000000000000000", "there is no manager 0000000000000000"],
    ["suite get nonsense", 'there is no suite "nonsense": an id has 16 characters of 0-9 and a-z'],
    ["task get nonsense", 'there is no task "nonsense": an id is <suite id>.<index>'],
    ["token revoke nobody", 'there is no token "nobody"']
  ]
  for (const [command, line] of cases) {
    it.live(command, () =>
      Effect.gen(function* () {
        const refused = yield* refuse(command.split(" "))
        if (typeof line === "string") assert.strictEqual(refused.line, line)
        else assert.match(refused.line, line)
        assert.strictEqual(refused.code, 4)
      })
    )
  }
})

describe("who is not let in", () => {
  it.live("for want of a token learns where one could come from", () =>
    Effect.gen(function* () {
      const path = yield* directory
      const { url } = yield* Muster.json(["dev", "status"])
      const refused = yield* refuse(["suite", "list", "--url", url, "--data-dir", path])
      assert.deepStrictEqual(refused, {
        code: 3,
        line: `no token is given: MUSTER_TOKEN is not set and ${path}/profile.json has none`
      })
    })
  )

  it.live("ends 3", () =>
    Effect.gen(function* () {
      const wrong = yield* refuse(["suite", "list"], { env: { MUSTER_TOKEN: "mst_admin_wrong-and-long-enough" } })
      assert.strictEqual(wrong.code, 3)
      const enrolment = yield* Muster.json(["token", "create", "only-enrolment"])
      const limited = yield* refuse(["suite", "list"], { env: { MUSTER_TOKEN: enrolment.token } })
      assert.strictEqual(limited.code, 3)
    })
  )
})

describe("what does not fit the state of things ends 1", () => {
  it.live("tasks into a cancelled suite", () =>
    Effect.gen(function* () {
      const path = yield* directory
      const file = join(path, "task.json")
      yield* Effect.promise(() => writeFile(file, '{"program":"true"}'))
      const { id } = yield* Muster.json(["suite", "create"])
      yield* Muster.json(["suite", "cancel", id])
      const refused = yield* refuse(["suite", "submit", file, "--suite", id])
      assert.strictEqual(refused.line, `suite ${id} is cancelled, which is final; create a new suite`)
      assert.strictEqual(refused.code, 1)
    })
  )

  it.live("a coordinator that cannot be reached", () =>
    Effect.gen(function* () {
      const refused = yield* refuse(["suite", "list", "--url", "http://127.0.0.1:9"])
      assert.deepStrictEqual(refused, { code: 1, line: "cannot reach http://127.0.0.1:9: connection refused" })
    })
  )

  it.live("something else that listens at the address", () =>
    Effect.gen(function* () {
      const server = createServer((_, response) => response.writeHead(200).end("hello"))
      const port = yield* Effect.acquireRelease(
        Effect.callback<number>((resume) => {
          server.listen(0, "127.0.0.1", () => resume(Effect.succeed((server.address() as AddressInfo).port))) // of a TCP server
        }),
        () => Effect.promise(() => new Promise((resolve) => server.close(resolve)))
      )
      const refused = yield* refuse(["suite", "list", "--url", `http://127.0.0.1:${port}`])
      assert.strictEqual(refused.code, 1)
      assert.include(refused.line, "does not answer as a Muster coordinator does")
    })
  )

  it.live("a port in use", () =>
    Effect.gen(function* () {
      const path = yield* directory
      const { url } = yield* Muster.json(["dev", "status"])
      const port = new URL(url).port
      const refused = yield* refuse(["dev", "--port", port, "--data-dir", path])
      assert.deepStrictEqual(refused, { code: 1, line: `port ${port} of 127.0.0.1 is in use by another program` })
    })
  )

  it.live("a data directory of a newer version, which is left as it is", () =>
    Effect.gen(function* () {
      const path = yield* directory
      yield* Effect.promise(() => writeFile(join(path, "muster.json"), '{"layout":999,"version":"9.9.9"}'))
      const refused = yield* refuse(["dev", "--port", "0", "--data-dir", path])
      assert.strictEqual(refused.line, `${path} was last used by Muster 9.9.9, which is newer than this one (0.1.0)`)
      assert.strictEqual(refused.code, 1)
      assert.deepStrictEqual(yield* Effect.promise(() => readdir(path)), ["muster.json"])
    })
  )

  it.live("a database that is down", () =>
    Effect.gen(function* () {
      const refused = yield* refuse(["server", "start", "--port", "0", "--database-url", "postgres://127.0.0.1:9/x"], {
        env: { MUSTER_DATABASE_WAIT: "200 millis" }
      })
      assert.strictEqual(refused.code, 1)
      assert.include(refused.line, "127.0.0.1:9")
    })
  )

  it.live("a manager without a token, and one whose directory is in use", () =>
    Effect.gen(function* () {
      const path = yield* directory
      const { url } = yield* Muster.json(["dev", "status"])
      const without = yield* refuse(["manager", "start", "--url", url, "--directory", path])
      assert.deepStrictEqual(without, { code: 2, line: "MUSTER_TOKEN is not set; it must be the enrolment token" })
      const taken = join(inject("dataDir"), "manager")
      const second = yield* refuse(["manager", "start", "--url", url, "--token", "t", "--directory", taken])
      assert.strictEqual(second.code, 1)
      assert.include(second.line, `${taken} is in use by the manager with process id`)
    })
  )
})

describe("programs that cannot run", () => {
  it.live("are failures of their tasks, with the reason", () =>
    Effect.gen(function* () {
      const { code, err, out } = yield* Muster.run(["run", "-o", "json", "--", "no-such-program-anywhere"])
      assert.strictEqual(code, 5)
      assert.match(
        err,
        /task \w{16}\.0 failed \(not started\): no-such-program-anywhere\n {4}.*no-such-program-anywhere/
      )
      const task = yield* Muster.json(["task", "get", `${JSON.parse(out).id}.0`])
      assert.strictEqual(task.outcome, "not_started")
    })
  )

  it.live("that write what is no text do no harm, and their log keeps it as it was", () =>
    Effect.gen(function* () {
      const { code, out } = yield* Muster.run(["run", "-o", "json", "--", "printf", String.raw`a\377b`])
      assert.strictEqual(code, 0)
      const task = yield* Muster.json(["task", "get", `${JSON.parse(out).id}.0`])
      assert.strictEqual(task.stdout, "a\uFFFDb")
    })
  )
})
