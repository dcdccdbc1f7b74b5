import { Effect, Exit, Redacted, Scope } from "effect"
import { chmod, mkdtemp, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import type { TestProject } from "vitest/node"
import * as EmbeddedPostgres from "../../src/EmbeddedPostgres.ts"

declare module "vitest" {
  export interface ProvidedContext {
    /** A superuser's connection to the server of this test run; see Postgres.ts for what tests use. */
    readonly postgresUrl: string
  }
}

/** The data is thrown away after the run: nothing is gained by surviving a power failure, and waiting for the disk is slow. */
const settings = {
  fsync: "off",
  synchronous_commit: "off",
  full_page_writes: "off",
  // Test files run at once, each with a pool of its own.
  max_connections: "200"
}

/**
 * Starts one Postgres for the whole run (vitest calls this in its main process) and answers with how to stop it. With
 * MUSTER_TEST_DATABASE_URL the tests use that server instead, for trying other versions of Postgres.
 */
export const setup = async (project: TestProject): Promise<() => Promise<void>> => {
  const given = process.env["MUSTER_TEST_DATABASE_URL"]
  if (given !== undefined) {
    project.provide("postgresUrl", given)
    return () => Promise.resolve()
  }
  const directory = await mkdtemp(join(tmpdir(), "muster-test-"))
  // mkdtemp makes it for this user alone; as root, Postgres runs as another one.
  await chmod(directory, 0o755)
  const scope = Scope.makeUnsafe()
  const running = await Effect.runPromise(
    EmbeddedPostgres.start({ dataDir: directory, settings }).pipe(Scope.provide(scope))
  )
  project.provide("postgresUrl", Redacted.value(running.url))
  return async () => {
    await Effect.runPromise(Scope.close(scope, Exit.void))
    await Promise.all([directory, running.directory].map((path) => rm(path, { recursive: true, force: true })))
  }
}
