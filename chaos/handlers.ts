/**
 * Handlers of the chaos run, which its managers' workers load. They write the same notes as the commands in `task.sh`.
 */
import { appendFileSync, readFileSync } from "node:fs"
import { createServer } from "node:net"
import { setTimeout as sleep } from "node:timers/promises"
import { join } from "node:path"
import { Schema } from "effect"
import * as Handler from "@muster/domain/Handler"

const notes = process.env["CHAOS_NOTES"] ?? "."
const manager = process.env["CHAOS_MANAGER"] ?? "0"

const note = (what: string, { attempt, taskId }: Handler.HandlerContext) => {
  const [now] = readFileSync("/proc/uptime", "utf8").split(" ")
  appendFileSync(join(notes, "notes"), `${what} ${taskId} ${attempt} ${process.pid} ${manager} ${now}\n`)
}

/** Takes a name that only one process of the machine can have, and that is free again when it dies. */
const take = async (name: string): Promise<AsyncDisposable | undefined> => {
  const server = createServer()
  const isTaken = await new Promise<boolean>((resolve, reject) => {
    server.once("error", (error: NodeJS.ErrnoException) =>
      error.code === "EADDRINUSE" ? resolve(true) : reject(error)
    )
    server.listen(`\0muster-chaos-${name}`, () => resolve(false))
  })
  if (isTaken) return undefined
  return { [Symbol.asyncDispose]: () => new Promise((resolve) => server.close(() => resolve())) }
}

/** Takes a while, and fails if it is told to. */
export const work = Handler.make({
  name: "chaos-work",
  input: Schema.Struct({ seconds: Schema.Finite, fails: Schema.Boolean }),
  output: Schema.String,
  run: async ({ fails, seconds }, context) => {
    await using alone = await take(context.taskId)
    if (alone === undefined) note("overlap", context)
    note("start", context)
    try {
      await sleep(seconds * 1_000, undefined, { signal: context.signal })
      if (fails) throw new Error("as it was told to")
      return context.taskId
    } finally {
      note("end", context)
    }
  }
})
