/** A program that starts Postgres in its first argument, prints the process id and waits to be killed. */
import { NodeRuntime } from "@effect/platform-node"
import { Console, Effect } from "effect"
import * as EmbeddedPostgres from "../../src/EmbeddedPostgres.ts"

const [, , dataDir = ""] = process.argv

EmbeddedPostgres.start({ dataDir }).pipe(
  Effect.flatMap(({ exit, pid }) => Effect.andThen(Console.log(pid), exit)),
  Effect.scoped,
  NodeRuntime.runMain
)
