/**
 * The vitest configuration, passed explicitly: `vitest run --config vitest.workspace.ts`.
 * One project per package, one for the simulation of a whole system in one process, and one for the end-to-end tests, which
 * start whole systems of real processes.
 */
import { existsSync } from "node:fs"
import { availableParallelism } from "node:os"
import { fileURLToPath } from "node:url"
import { defineConfig } from "vitest/config"

const path = (relative: string) => fileURLToPath(new URL(relative, import.meta.url))

const UNIT_TIMEOUT_MILLIS = 30_000
const E2E_TIMEOUT_MILLIS = 120_000

/** Those that take long have to be asked for (`npm run test:slow`). */
const exclude = process.env["MUSTER_SLOW_TESTS"] === undefined ? ["**/*.slow.test.ts"] : []

const packageProject = (name: string) => {
  const globalSetup = path(`./packages/${name}/test/support/globalSetup.ts`)
  return {
    test: {
      name: `@muster/${name}`,
      root: path(`./packages/${name}`),
      include: ["test/**/*.test.ts"],
      exclude,
      testTimeout: UNIT_TIMEOUT_MILLIS,
      hookTimeout: UNIT_TIMEOUT_MILLIS,
      ...(existsSync(globalSetup) ? { globalSetup: [globalSetup] } : {})
    }
  }
}

export default defineConfig({
  test: {
    // Many tests wait for processes more than they compute, so there is one for each processor, not one less.
    maxWorkers: availableParallelism(),
    // Machines that run CI are shared and noisy, and many tests race real processes against real limits of time. There a
    // test gets a second chance, and vitest says which one needed it; at a desk it gets none.
    retry: process.env["CI"] === undefined ? 0 : 1,
    projects: [
      ...["domain", "server", "manager", "worker", "client", "cli"].map(packageProject),
      {
        test: {
          name: "bench",
          root: path("./bench"),
          include: ["test/**/*.test.ts"],
          testTimeout: UNIT_TIMEOUT_MILLIS,
          hookTimeout: UNIT_TIMEOUT_MILLIS
        }
      },
      {
        test: {
          name: "chaos",
          root: path("./chaos"),
          include: ["test/**/*.test.ts"],
          testTimeout: UNIT_TIMEOUT_MILLIS,
          hookTimeout: UNIT_TIMEOUT_MILLIS
        }
      },
      {
        test: {
          name: "simulation",
          root: path("."),
          include: ["test/simulation/**/*.test.ts"],
          testTimeout: UNIT_TIMEOUT_MILLIS,
          hookTimeout: UNIT_TIMEOUT_MILLIS
        }
      },
      {
        test: {
          name: "fuzz",
          root: path("./fuzz"),
          include: ["test/**/*.test.ts"],
          testTimeout: UNIT_TIMEOUT_MILLIS,
          hookTimeout: UNIT_TIMEOUT_MILLIS
        }
      },
      {
        test: {
          name: "e2e",
          root: path("."),
          include: ["test/e2e/**/*.test.ts", "test/golden/**/*.test.ts"],
          exclude,
          testTimeout: E2E_TIMEOUT_MILLIS,
          hookTimeout: E2E_TIMEOUT_MILLIS
        }
      }
    ]
  }
})
