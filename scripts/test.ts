/**
 * What `npm test` runs: every check of the repository, cheap ones first, stopping at the first that fails. The tests come
 * last so that vitest's own closing lines (how many passed and failed) end the output.
 */
import { spawnSync } from "node:child_process"
import { availableParallelism } from "node:os"
import { delimiter, join } from "node:path"
import { fileURLToPath } from "node:url"

const root = fileURLToPath(new URL("..", import.meta.url))
const bin = join(root, "node_modules", ".bin")
const extraArguments = process.argv.slice(2)

const steps: ReadonlyArray<readonly [name: string, command: string, args: ReadonlyArray<string>]> = [
  ["check", "tsc", ["-b"]],
  ["lint", "oxlint", ["--type-aware", "--deny-warnings"]],
  ["format-check", "oxfmt", ["--check"]],
  ["build", process.execPath, ["scripts/build.ts"]],
  ["vitest", "vitest", ["run", "--config", "vitest.workspace.ts", ...extraArguments]]
]

const seconds = (since: number) => `${((performance.now() - since) / 1000).toFixed(1)} s`

console.log(`test: Node ${process.version}, ${availableParallelism()} processors`)

for (const [name, command, args] of steps) {
  const started = performance.now()
  if (name === "vitest") console.log("test: vitest")
  const result = spawnSync(command, args, {
    cwd: root,
    stdio: "inherit",
    env: { ...process.env, PATH: `${bin}${delimiter}${process.env["PATH"] ?? ""}` }
  })
  const passed = result.status === 0
  if (!passed) {
    const why = result.error?.message ?? result.signal ?? `exit code ${result.status}`
    console.error(`test: ${name} FAILED after ${seconds(started)} (${why})`)
    process.exit(result.status ?? 1)
  }
  if (name !== "vitest") console.log(`test: ${name} ok (${seconds(started)})`)
}
