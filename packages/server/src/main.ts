/**
 * A coordinator as a process of its own.
 */
import { NodeRuntime } from "@effect/platform-node"
import { Effect } from "effect"
import { run } from "./Server.ts"
import { config } from "./ServerConfig.ts"

Effect.flatMap(config, run).pipe(NodeRuntime.runMain)
