/**
 * Tests of backup and restore: `npm run test:backup`. They need Debian's Postgres and take a minute, so they are no part of
 * `npm test`.
 */
import { fileURLToPath } from "node:url"
import { defineConfig } from "vitest/config"

const TIMEOUT_MILLIS = 180_000

export default defineConfig({
  test: {
    name: "backup",
    root: fileURLToPath(new URL(".", import.meta.url)),
    include: ["test/backup/**/*.test.ts"],
    testTimeout: TIMEOUT_MILLIS,
    hookTimeout: TIMEOUT_MILLIS
  }
})
