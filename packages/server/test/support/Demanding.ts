/**
 * Clients that want too much, and a coordinator whose limits are so low that it soon is too much.
 */
import { NodeWS } from "@effect/platform-node"
import { Effect } from "effect"
import { readFileSync } from "node:fs"
import { connect } from "node:net"
import type { Socket } from "node:net"
import * as Coordinators from "./Coordinators.ts"
import { eventually } from "./Eventually.ts"

const kibibyte = 1_024
export const mebibyte = 1_024 ** 2

export const limits = {
  MUSTER_LIMIT_BODY: "64Ki",
  MUSTER_LIMIT_MESSAGE: "2Mi",
  MUSTER_LIMIT_CONNECTIONS: "60",
  MUSTER_LIMIT_CONNECTIONS_PER_ADDRESS: "40",
  MUSTER_LIMIT_REQUESTS_PER_CLIENT: "8",
  MUSTER_LIMIT_REQUESTS: "12",
  MUSTER_LIMIT_HEAD_TIMEOUT: "500ms",
  MUSTER_LIMIT_REQUEST_TIMEOUT: "1s",
  MUSTER_LIMIT_IDLE_TIMEOUT: "2s",
  MUSTER_LIMIT_PONG_TIMEOUT: "500ms",
  MUSTER_LIMIT_UNREAD: "1Mi"
}

export type Coordinator = Coordinators.Coordinator

/** Resident memory of a process in MiB. */
export const memoryOf = ({ pid }: Coordinator): number =>
  Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]) / kibibyte

export const metric = ({ port }: Coordinator, name: string) =>
  Effect.promise(async () => {
    const text = await fetch(`http://127.0.0.1:${port}/metrics`).then((response) => response.text())
    return Number(
      text
        .split("\n")
        .find((line) => line.startsWith(`${name} `))
        ?.split(" ")
        .at(-1)
    )
  })

export const refusals = (coordinator: Coordinator, limit: string) =>
  metric(coordinator, `muster_limit_refusals_total{limit="${limit}"}`)

/** A connection below HTTP, with all that came over it. */
export const dial = ({ port }: Coordinator, localAddress = "127.0.0.1") =>
  Effect.acquireRelease(
    Effect.callback<{ readonly socket: Socket; readonly received: () => string; readonly isClosed: () => boolean }>(
      (resume) => {
        let text = ""
        let isClosed = false
        const socket = connect({ port, host: "127.0.0.1", localAddress })
        socket.on("data", (chunk) => {
          text += chunk.toString("latin1")
        })
        socket.on("error", () => {})
        socket.on("close", () => {
          isClosed = true
        })
        socket.once("connect", () => resume(Effect.succeed({ socket, received: () => text, isClosed: () => isClosed })))
      }
    ),
    ({ socket }) => Effect.sync(() => socket.destroy())
  )

export const until = (condition: () => boolean) => eventually(Effect.sync(condition), (holds) => holds)

export const http = ({ port }: Coordinator, path: string, init: RequestInit = {}) =>
  Effect.promise(async () => {
    const response = await fetch(`http://127.0.0.1:${port}${path}`, {
      ...init,
      headers: { authorization: `Bearer ${Coordinators.adminToken}`, "content-type": "application/json" }
    })
    return { status: response.status, headers: response.headers, text: await response.text() }
  })

/** A WebSocket whose reading can be stopped. */
export const webSocket = ({ port }: Coordinator) =>
  Effect.acquireRelease(
    Effect.callback<NodeWS.WebSocket>((resume) => {
      const socket = new NodeWS.WebSocket(`ws://127.0.0.1:${port}/rpc`)
      socket.on("error", () => {})
      socket.once("open", () => resume(Effect.succeed(socket)))
    }),
    (socket) => Effect.sync(() => socket.terminate())
  )

export const request = (id: number, tag: string, payload: unknown) =>
  `${JSON.stringify({ _tag: "Request", id: String(id), tag, payload, headers: [["authorization", `Bearer ${Coordinators.adminToken}`]] })}\n`
