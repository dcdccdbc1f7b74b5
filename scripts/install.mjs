// Installs the dependencies when they are missing or differ from package-lock.json, and does nothing (in milliseconds)
// when they are right. Plain JavaScript: it runs on whatever Node the system has, before the pinned Node 24 is there.
//
// No dependency install script is run: everything the project needs comes as a file inside a package (Node itself and the
// Postgres binaries through platform-specific optional dependencies), so a machine that forbids such scripts works too.
import { spawnSync } from "node:child_process"
import { existsSync, readFileSync } from "node:fs"
import { dirname, join } from "node:path"
import { fileURLToPath } from "node:url"

const REQUIRED_MAJOR = 24
const root = join(dirname(fileURLToPath(import.meta.url)), "..")
const readLock = (path) => JSON.parse(readFileSync(join(root, path), "utf8")).packages

const allows = (list, value) => list === undefined || list.includes(value)

/**
 * Optional packages for other platforms are in the lock file but never on the disk, nor is what only they depend on. Those
 * that name this platform must be there: they are the binaries that everything else runs on. (Which C library a package is
 * for is not checked: asking the system costs more than the answer is worth.)
 */
const mayBeAbsent = (entry) => {
  if (entry.optional !== true && entry.devOptional !== true) return false
  const isForThisPlatform = allows(entry.os, process.platform) && allows(entry.cpu, process.arch)
  return !isForThisPlatform || entry.os === undefined || entry.libc !== undefined
}

/** Why an installation is needed, or undefined. npm records what it installed in node_modules/.package-lock.json. */
const reasonToInstall = () => {
  if (!existsSync(join(root, "node_modules", ".package-lock.json"))) return "nothing is installed yet"
  const wanted = readLock("package-lock.json")
  const installed = readLock("node_modules/.package-lock.json")
  for (const [path, entry] of Object.entries(wanted)) {
    if (path === "") continue
    if (!existsSync(join(root, path))) {
      if (!mayBeAbsent(entry)) return `${path} is missing`
    } else if (!entry.link && path.includes("node_modules/") && installed[path]?.version !== entry.version) {
      return `${path} is ${installed[path]?.version ?? "unknown"}, wanted ${entry.version}`
    }
  }
  return undefined
}

const checkPinnedNode = () => {
  const node = join(root, "node_modules", ".bin", "node")
  const major = Number.parseInt(process.versions.node, 10)
  if (existsSync(node) || major >= REQUIRED_MAJOR) return
  console.error(
    `install: no Node ${REQUIRED_MAJOR} comes with the dependencies for ${process.platform}-${process.arch}, ` +
      `and the system's is ${process.version}. Install Node ${REQUIRED_MAJOR} or newer.`
  )
  process.exit(1)
}

const reason = reasonToInstall()
if (reason === undefined) {
  console.log("install: dependencies are up to date")
} else {
  console.log(`install: running npm ci (${reason})`)
  // npm would warn that some packages ask for a newer Node than the system's; they run on the pinned one.
  const result = spawnSync("npm", ["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"], {
    cwd: root,
    stdio: "inherit",
    shell: process.platform === "win32"
  })
  if (result.status !== 0) {
    console.error(`install: npm ci failed${result.error ? `: ${result.error.message}` : ""}`)
    process.exit(result.status ?? 1)
  }
}
checkPinnedNode()
