#!/usr/bin/env node
// Starts the `muster` command. Plain JavaScript that any Node from 20 on understands, because it may run before the right
// Node is chosen: Muster itself needs Node 24, which the repository installs next to its other dependencies.
import { spawn } from "node:child_process"
import { existsSync } from "node:fs"
import { constants } from "node:os"
import { dirname, join } from "node:path"
import { fileURLToPath, pathToFileURL } from "node:url"
import { bundle, isCurrent } from "./bundle.js"
import { hideSecrets } from "./title.js"

hideSecrets()

const REQUIRED_MAJOR = 24
const self = fileURLToPath(import.meta.url)

/** The pinned Node: the nearest `node_modules/.bin/node` at or above this file. */
const findPinnedNode = () => {
  for (let directory = dirname(self); ; directory = dirname(directory)) {
    const candidate = join(directory, "node_modules", ".bin", "node")
    if (existsSync(candidate)) return candidate
    if (directory === dirname(directory)) return undefined
  }
}

const findSetpriv = () => ["/usr/bin/setpriv", "/bin/setpriv"].find((path) => existsSync(path))

const reexecute = (node) => {
  const command = [node, self, ...process.argv.slice(2)]
  // Node 20 cannot replace itself by another program. So that a killed launcher does not leave the real process behind,
  // the kernel is asked to kill that process with it.
  const setpriv = findSetpriv()
  if (setpriv !== undefined) command.unshift(setpriv, "--pdeathsig", "KILL", "--")
  const child = spawn(command[0], command.slice(1), {
    stdio: "inherit",
    env: { ...process.env, MUSTER_REEXECUTED: "1" }
  })
  // A terminal sends Ctrl-C to the whole foreground group, the child included; passing it on would count as a second one.
  process.on("SIGINT", () => process.stdin.isTTY || child.kill("SIGINT"))
  process.on("SIGTERM", () => child.kill("SIGTERM"))
  process.on("SIGHUP", () => child.kill("SIGHUP"))
  child.on("error", (error) => {
    console.error(`muster: cannot start ${node}: ${error.message}`)
    process.exit(1)
  })
  child.on("exit", (code, signal) => process.exit(code ?? 128 + (constants.signals[signal] ?? 0)))
}

// The bundle starts in a fraction of the time, but one that is older than the sources would do what they did once.
const load = () => import(pathToFileURL(isCurrent() ? bundle : join(dirname(self), "..", "src", "bin.ts")).href)

if (Number.parseInt(process.versions.node, 10) >= REQUIRED_MAJOR) {
  delete process.env.MUSTER_REEXECUTED
  await load()
} else {
  // The mark stops a pinned Node that is itself too old from starting itself for ever.
  const node = process.env.MUSTER_REEXECUTED === undefined ? findPinnedNode() : undefined
  if (node === undefined) {
    console.error(
      `muster: needs Node ${REQUIRED_MAJOR} or newer, this is ${process.version}, and no pinned one is installed. ` +
        `Run \`npm install\` in the Muster repository, or use a newer Node.`
    )
    process.exit(1)
  }
  reexecute(node)
}
