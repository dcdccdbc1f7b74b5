/** What only a process of its own can show: signals, pipes, standard input, the time it takes to start. */
import { assert, describe, it } from "@effect/vitest"
import { inject } from "vitest"
import { readFileSync } from "node:fs"
import { fileURLToPath } from "node:url"
import { version } from "@muster/domain/Version"
import * as Process from "./support/Process.ts"

const env = () => ({ MUSTER_DATA_DIR: inject("dataDir") })

const suiteIn = (text: string): string => /suite (\w{16})/.exec(text)?.[1] ?? ""

describe("standard input", () => {
  it("becomes tasks line by line", async () => {
    const { code, out } = await Process.run(["run", "--each-line", "-o", "json", "--", "test", "-n", "{}"], {
      env: env(),
      input: "a\nb\nc"
    })
    assert.strictEqual(code, 0)
    assert.strictEqual(JSON.parse(out).tasks.succeeded, 3)
  })

  it("is submitted while it is still being read", async () => {
    const running = Process.start(["suite", "submit", "-", "--format", "jsonl", "--wait", "-o", "json"], {
      env: env(),
      input: '{"program":"true"}\n{"program":"true"}\n'
    })
    const { code, out } = await running.ended
    assert.strictEqual(code, 0)
    assert.strictEqual(JSON.parse(out).tasks.succeeded, 2)
  })

  it("that is no text cancels what was submitted and ends 2", async () => {
    const { code, err } = await Process.run(["run", "--each-line", "--", "true"], {
      env: env(),
      input: new Uint8Array([0x61, 0x0a, 0xff, 0x0a])
    })
    assert.strictEqual(code, 2)
    assert.include(err, "muster: line 2 of standard input is not UTF-8 text\n")
  })

  it("with nothing in it is a suite without tasks", async () => {
    const { code, out } = await Process.run(["run", "--each-line", "-o", "json", "--", "true"], {
      env: env(),
      input: ""
    })
    assert.strictEqual(code, 0)
    assert.strictEqual(JSON.parse(out).tasks.total, 0)
  })
})

/** Whether a task of the suite with this name runs. Other tests make suites at the same time. */
const isRunning = async (name: string) => {
  const { out } = await Process.run(["suite", "list", "--filter", `name=${name}`, "-o", "json"], { env: env() })
  const [suite] = JSON.parse(out)
  return suite !== undefined && suite.tasks.running > 0
}

describe("Ctrl-C", () => {
  it("cancels a suite that the command runs, lets running tasks finish, and ends 130", async () => {
    const inputs = Array.from({ length: 50 }, (_, place) => String(place))
    const running = Process.start(
      ["run", "--name", "cancelled once", "-o", "json", "--", "sleep", "0.5", ":::", ...inputs.map(() => "0")],
      { env: env() }
    )
    await Process.until("a task runs", () => isRunning("cancelled once"))
    running.child.kill("SIGINT")
    const { code, err, out } = await running.ended
    assert.strictEqual(code, 130, err)
    assert.include(err, "cancelling: running tasks finish")
    const { state, tasks } = JSON.parse(out)
    assert.strictEqual(state, "cancelled")
    assert.deepInclude(tasks, { pending: 0, failed: 0 })
    assert.isAbove(tasks.succeeded, 0, "what ran has finished")
    assert.isAbove(tasks.cancelled, 0)
  })

  it("twice ends running tasks too", async () => {
    const running = Process.start(["run", "--name", "cancelled twice", "--", "sleep", "100"], { env: env() })
    await Process.until("the task runs", () => isRunning("cancelled twice"))
    running.child.kill("SIGINT")
    await Process.until("the first one is heard", () => running.err().includes("cancelling"))
    running.child.kill("SIGINT")
    const { code, err } = await running.ended
    assert.strictEqual(code, 130)
    assert.match(err, /1 cancelled/)
  })

  it("ends a command that only looks, and leaves the suite alone", async () => {
    const { out: id } = await Process.run(["run", "--detach", "--", "sleep", "100"], { env: env() })
    const watching = Process.start(["suite", "watch", id.trim()], { env: env() })
    await Process.until("it watches", () => watching.out().includes(id.trim()))
    watching.child.kill("SIGINT")
    assert.strictEqual((await watching.ended).code, 130)
    const { out } = await Process.run(["suite", "cancel", id.trim(), "--force", "-o", "json"], { env: env() })
    assert.strictEqual(suiteIn(`suite ${JSON.parse(out).id}`), id.trim())
  })
})

describe("a bug", () => {
  it("shows where it is only when asked", async () => {
    const quiet = await Process.run(["suite", "list", "--url", "http://127.0.0.1:9"])
    assert.notMatch(quiet.err, /\n {4}at /)
    const loud = await Process.run(["suite", "list", "--url", "http://127.0.0.1:9"], { env: { MUSTER_DEBUG: "1" } })
    assert.match(loud.err, /\n\s+at /)
  })
})

describe("help", () => {
  it("answers in under 150 ms", { retry: 3 }, async () => {
    const times: Array<number> = []
    for (let run = 0; run < 10; run++) {
      const started = performance.now()
      const { code, out } = await Process.run(["--help"])
      times.push(performance.now() - started)
      assert.strictEqual(code, 0)
      assert.include(out, "muster <subcommand> [flags]")
    }
    // The fastest: what else the machine does is not the command's fault.
    assert.isBelow(Math.min(...times), 150, times.map(Math.round).join(" "))
  })

  it("knows every command of the issue", async () => {
    const { out } = await Process.run(["completion", "bash"])
    for (const command of [
      "create",
      "submit",
      "retry",
      "wait",
      "logs",
      "drain",
      "shutdown",
      "tail",
      "rebuild",
      "status"
    ]) {
      assert.include(out, command)
    }
    assert.include(out, "--output")
  })
})

describe("the version", () => {
  it("is that of the package", async () => {
    const path = fileURLToPath(new URL("../package.json", import.meta.url))
    const manifest: { readonly version: string } = JSON.parse(readFileSync(path, "utf8"))
    assert.strictEqual(version, manifest.version)
    assert.strictEqual((await Process.run(["--version"])).out, `muster ${version}\n`)
  })
})
