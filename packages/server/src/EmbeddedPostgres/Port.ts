/** The port: found once, remembered beside the data, so that a restart keeps its address. */
import { Effect } from "effect"
import * as FileSystem from "node:fs/promises"
import { createServer } from "node:net"
import { attempt, PostgresStartError } from "./Errors.ts"
import type { Home } from "./Home.ts"

export const host = "127.0.0.1"

/** Listens for a moment: answers with the port if that worked, `0` asking for any free one. */
const tryPort = (port: number): Effect.Effect<number | undefined> =>
  Effect.callback((resume) => {
    const server = createServer()
    server.once("error", () => resume(Effect.succeed(undefined)))
    server.listen({ host, port, exclusive: true }, () => {
      const address = server.address()
      const found = typeof address === "object" && address !== null ? address.port : undefined
      server.close(() => resume(Effect.succeed(found)))
    })
  })

const readRemembered = ({ port }: Home): Promise<number | undefined> =>
  FileSystem.readFile(port, "utf8").then(
    (text) => {
      const remembered = Number(text)
      return Number.isInteger(remembered) && remembered > 0 && remembered < 65_536 ? remembered : undefined
    },
    () => undefined
  )

/** The wanted port if it is free; without a wish the remembered one if it is free, else any. */
export const choose = Effect.fn("EmbeddedPostgres.Port.choose")(function* (home: Home, wanted: number | undefined) {
  const preferred = wanted ?? (yield* Effect.promise(() => readRemembered(home)))
  const port = preferred === undefined ? undefined : yield* tryPort(preferred)
  if (port !== undefined) return port
  const other = wanted === undefined ? yield* tryPort(0) : undefined
  if (other !== undefined) return other
  const what = wanted === undefined ? "no port is free" : `port ${wanted} is taken`
  return yield* new PostgresStartError({
    reason: "PortInUse",
    directory: home.requested,
    detail: `${what} on ${host}.`
  })
})

export const remember = ({ port: file, requested }: Home, port: number): Effect.Effect<void, PostgresStartError> =>
  attempt(requested, () => FileSystem.writeFile(file, `${port}\n`))
