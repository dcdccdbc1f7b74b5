/** `muster dev --detach`: the same command again in the background, which says when everything is ready. */
import { Effect, Schema } from "effect"
import { spawn } from "node:child_process"
import { closeSync, openSync } from "node:fs"
import * as Path from "node:path"
import * as Failure from "../Failure.ts"
import * as Programs from "../Programs.ts"
import type { DataDirectory } from "./DataDirectory.ts"
import { DevProcess, Imported } from "./DevState.ts"
import type { Info } from "./DevState.ts"

const InfoSchema = Schema.Struct({
  url: Schema.String,
  dataDir: Schema.String,
  pid: Schema.Int,
  processes: Schema.Array(DevProcess),
  imported: Schema.optionalKey(Imported)
})

/** What the process in the background says to the one that started it. */
const Message = Schema.Union([
  Schema.TaggedStruct("Ready", { info: InfoSchema }),
  Schema.TaggedStruct("Failed", {
    line: Schema.String,
    advice: Schema.NullOr(Schema.String),
    exitCode: Schema.Int
  })
])
type Message = typeof Message.Type

const decode = Schema.decodeUnknownSync(Message)

/** Tells the process in the background that the channel to its parent is for this. */
const variable = "MUSTER_DETACHED"

/** Whoever waits in the foreground, seen from the background. */
export interface Parent {
  readonly isThere: boolean
  readonly ready: (info: Info) => void
  readonly failed: (report: Failure.Report) => void
}

/** Whether somebody in the foreground has started this process in the background. */
export const isInBackground = (): boolean => process.env[variable] !== undefined && process.send !== undefined

export const parent = (): Parent => {
  const isThere = process.env[variable] !== undefined && process.send !== undefined
  // Not for the processes that this one starts.
  delete process.env[variable]
  const send = (message: Message) => {
    if (!isThere || !process.connected) return
    // The parent may have been killed; then there is nobody to tell.
    process.send?.(message, undefined, undefined, () => process.connected && process.disconnect())
  }
  return {
    isThere,
    ready: (info) => send({ _tag: "Ready", info }),
    failed: ({ advice, exitCode, line }) =>
      send({ _tag: "Failed", line: line ?? "it was stopped", advice: advice ?? null, exitCode })
  }
}

/** The command line of this process without what detaches it. */
const withoutDetach = (): ReadonlyArray<string> =>
  process.argv.slice(2).filter((argument) => argument !== "--detach" && argument !== "-d")

/** Starts the background process and waits for its word. Ctrl-C meanwhile stops it. */
export const start = ({ logs }: DataDirectory): Effect.Effect<Info, Failure.CommandFailed> =>
  Effect.callback((resume) => {
    const path = Path.join(logs, "dev.log")
    const log = openSync(path, "a", 0o600)
    const [program = "", ...args] = Programs.muster(withoutDetach())
    const child = spawn(program, args, {
      detached: true,
      env: { ...process.env, [variable]: "1" },
      stdio: ["ignore", log, log, "ipc"]
    })
    closeSync(log)
    child.once("error", (error) => resume(Effect.fail(Failure.failed(`cannot start ${program}: ${error.message}`))))
    child.once("exit", (code, signal) =>
      resume(
        Effect.fail(Failure.failed(`muster dev ended with ${signal ?? `exit code ${code}`}`, `its log is ${path}`))
      )
    )
    child.once("message", (message) => {
      const said = decode(message)
      child.removeAllListeners("exit")
      child.unref()
      if (child.connected) child.disconnect()
      resume(
        said._tag === "Ready"
          ? Effect.succeed(said.info)
          : Effect.fail(
              new Failure.CommandFailed({
                message: said.line,
                exitCode: said.exitCode,
                ...(said.advice === null ? {} : { advice: said.advice })
              })
            )
      )
    })
    return Effect.sync(() => void child.kill("SIGTERM"))
  })
