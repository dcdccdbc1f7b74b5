/**
 * Why nobody answers. A failed WebSocket tells nothing but that it failed, so the port is tried once by itself.
 */
import { Effect } from "effect"
import type { RpcClientError } from "effect/rpc"
import { createConnection } from "node:net"
import * as OpenProblem from "@muster/domain/Rpc/OpenProblem"
import type { Address } from "./Address.ts"

const patience = "2 seconds"

/** Connects for a moment: the reason why that fails, or nothing. */
const tryPort = ({ host, port }: Address): Effect.Effect<string | undefined> =>
  Effect.callback<string | undefined>((resume) => {
    const socket = createConnection({ host, port })
    socket.once("connect", () => {
      socket.destroy()
      resume(Effect.succeed(undefined))
    })
    socket.once("error", (error: NodeJS.ErrnoException) =>
      resume(Effect.succeed(OpenProblem.explainNetwork(error.code) ?? error.message))
    )
    return Effect.sync(() => socket.destroy())
  }).pipe(Effect.timeoutOrElse({ duration: patience, orElse: () => Effect.succeed("no answer") }))

const fromError = (addresses: ReadonlyArray<Address>, error: RpcClientError.RpcClientError): string => {
  const { reason } = error
  const tls = OpenProblem.explainTls(error)
  if (tls !== undefined) return tls
  if (reason._tag === "SocketOpenError") {
    const isPlain = addresses.some(({ rpc }) => rpc.startsWith("ws:"))
    if (isPlain && OpenProblem.codeOf(error) === "ECONNRESET") return OpenProblem.perhapsTls
    return "something listens there, but it does not answer as a Muster coordinator does"
  }
  return reason._tag.startsWith("Socket") ? "the connection was lost" : reason.message
}

/** One line for the reader of an error message. */
export const explain = (
  addresses: ReadonlyArray<Address>,
  error: RpcClientError.RpcClientError
): Effect.Effect<string> =>
  Effect.map(
    Effect.forEach(addresses, tryPort, { concurrency: "unbounded" }),
    (found) => found.find((reason) => reason !== undefined) ?? fromError(addresses, error)
  )
