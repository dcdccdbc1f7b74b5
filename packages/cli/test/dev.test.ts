/** `muster dev` itself: its processes, their end, and what is left when the worst happens. */
import { afterEach, assert, describe, it } from "@effect/vitest"
import { existsSync, readFileSync } from "node:fs"
import { rm, stat } from "node:fs/promises"
import { join } from "node:path"
import * as ProcessIdentity from "../src/dev/ProcessIdentity.ts"
import * as DataDirectory from "./support/DataDirectory.ts"
import * as Process from "./support/Process.ts"

interface Info {
  readonly url: string
  readonly dataDir: string
  readonly pid: number
  readonly processes: ReadonlyArray<{ readonly role: string; readonly pid: number }>
}

const directories: Array<string> = []

afterEach(async () => {
  for (const dataDir of directories.splice(0)) {
    await Process.run(["dev", "stop"], { env: { MUSTER_DATA_DIR: dataDir } })
    await rm(dataDir, { recursive: true, force: true })
  }
})

/** Starts it in the background on a fresh directory. */
const startDev = async (...args: ReadonlyArray<string>) => {
  const dataDir = await DataDirectory.make("dev")
  directories.push(dataDir)
  const env = { MUSTER_DATA_DIR: dataDir }
  const { code, err, out } = await Process.run(
    ["dev", "--detach", "--port", "0", "--workers", "2", "-o", "json", ...args],
    { env }
  )
  assert.strictEqual(code, 0, err)
  const info: Info = JSON.parse(out)
  const status = async (): Promise<Info> =>
    JSON.parse((await Process.run(["dev", "status", "-o", "json"], { env })).out)
  return { env, info, status, dataDir }
}

const pidsOf = ({ processes }: Info, role: string) => processes.filter((one) => one.role === role).map(({ pid }) => pid)
const isAlive = (pid: number) => ProcessIdentity.isAlive({ pid, startTime: null })

describe("muster dev", () => {
  it("runs each part as a process of its own, starts again what is killed, and stops all in order", async () => {
    const { dataDir, env, info, status } = await startDev()
    assert.deepStrictEqual(
      info.processes.map(({ role }) => role),
      ["postgres", "coordinator", "manager", "worker", "worker"]
    )
    const run = () => Process.run(["run", "--", "true"], { env })
    assert.strictEqual((await run()).code, 0)

    // Secrets are for their owner alone, and no command line shows one.
    assert.strictEqual((await stat(join(dataDir, "profile.json"))).mode & 0o077, 0)
    assert.strictEqual((await stat(join(dataDir, "tokens.json"))).mode & 0o077, 0)
    const { token }: { readonly token: string } = JSON.parse(readFileSync(join(dataDir, "profile.json"), "utf8"))
    for (const { pid } of info.processes) {
      if (existsSync(`/proc/${pid}/cmdline`)) assert.notInclude(readFileSync(`/proc/${pid}/cmdline`, "utf8"), token)
    }

    for (const role of ["coordinator", "manager", "postgres", "worker"]) {
      const [pid = 0] = pidsOf(await status(), role)
      process.kill(pid, "SIGKILL")
      await Process.until(`there is another ${role}`, async () => {
        const now = await status()
        return pidsOf(now, role).length === pidsOf(info, role).length && !pidsOf(now, role).includes(pid)
      })
    }
    // The coordinator lost its shards with the database, and takes them again without waiting for requests that wait.
    const began = performance.now()
    const after = await run()
    assert.strictEqual(after.code, 0, after.err)
    assert.isBelow(performance.now() - began, 12_000)

    const last = await status()
    const { code } = await Process.run(["dev", "stop"], { env })
    assert.strictEqual(code, 0)
    assert.deepStrictEqual(
      [last.pid, ...last.processes.map(({ pid }) => pid)].filter(isAlive),
      [],
      "everything has ended when `dev stop` returns"
    )
    const gone = await Process.run(["dev", "status"], { env })
    assert.strictEqual(gone.code, 1)
    assert.include(gone.err, `muster: muster dev is not running in ${dataDir}`)
  }, 120_000)

  it("uses its data again, and leaves nothing behind when it is killed", async () => {
    const first = await startDev()
    const { out } = await Process.run(["run", "--detach", "--", "true"], { env: first.env })
    const id = out.trim()
    process.kill(first.info.pid, "SIGKILL")
    const all = [first.info.pid, ...first.info.processes.map(({ pid }) => pid)]
    await Process.until("everything has ended", () => !all.some(isAlive))

    const again = await Process.run(["dev", "--detach", "--port", "0", "--workers", "1", "-o", "json"], {
      env: first.env
    })
    assert.strictEqual(again.code, 0, again.err)
    const waited = await Process.run(["suite", "wait", id, "--timeout", "30s", "-o", "json"], { env: first.env })
    assert.strictEqual(waited.code, 0, waited.err)
    assert.strictEqual(JSON.parse(waited.out).tasks.succeeded, 1)
  }, 60_000)

  it("runs in the foreground until a signal, and then ends 0", async () => {
    const dataDir = await DataDirectory.make("dev")
    directories.push(dataDir)
    const running = Process.start(["dev", "--port", "0", "--workers", "1"], { env: { MUSTER_DATA_DIR: dataDir } })
    await Process.until("it is ready", () => running.out().includes("Muster is running on"))
    assert.include(running.out(), "run -- sha256sum {} ::: *")
    running.child.kill("SIGINT")
    const { code } = await running.ended
    assert.strictEqual(code, 0)
  }, 60_000)
})
