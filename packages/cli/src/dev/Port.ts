/** The port that a coordinator will listen on: whether it is free is known before anything is started. */
import { Effect } from "effect"
import { createServer } from "node:net"
import * as Failure from "../Failure.ts"

const reasons: Readonly<Record<string, string>> = {
  EADDRINUSE: "is in use by another program",
  EACCES: "is not for ordinary users",
  EADDRNOTAVAIL: "is at an address that this machine does not have"
}

/** The port itself when it is free, a free one for 0. */
export const choose = (host: string, port: number): Effect.Effect<number, Failure.CommandFailed> =>
  Effect.callback((resume) => {
    const server = createServer()
    server.once("error", (error: NodeJS.ErrnoException) =>
      resume(
        Effect.fail(
          Failure.failed(
            `port ${port} of ${host} ${reasons[error.code ?? ""] ?? `cannot be used: ${error.message}`}`,
            "--port chooses another one; --port 0 takes any that is free"
          )
        )
      )
    )
    server.listen({ host, port, exclusive: true }, () => {
      const address = server.address()
      const found = typeof address === "object" && address !== null ? address.port : port
      server.close(() => resume(Effect.succeed(found)))
    })
  })
