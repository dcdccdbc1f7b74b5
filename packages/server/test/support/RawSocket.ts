/**
 * RPC over a WebSocket without a client that would check what is sent: for saying what no program of ours would.
 */
import { Deferred, Effect } from "effect"

/** What came back for a request. */
export interface Answer {
  readonly value: unknown
  /** The typed error, if it was one. */
  readonly failure: { readonly _tag: string; readonly [field: string]: unknown } | undefined
  /** What the server calls a defect. */
  readonly defect: unknown
}

interface Waiting {
  readonly resolve: (answer: Answer) => void
  /** A stream has begun: its first chunk is enough. */
  readonly isStream: boolean
}

interface Message {
  readonly _tag: string
  readonly requestId?: string | number
  readonly values?: ReadonlyArray<unknown>
  readonly exit?: {
    readonly _tag: "Success" | "Failure"
    readonly value?: unknown
    readonly cause?: ReadonlyArray<{
      readonly _tag: string
      readonly error?: Answer["failure"]
      readonly defect?: unknown
    }>
  }
  readonly defect?: unknown
}

const answerOf = ({ defect, exit, values }: Message): Answer => {
  if (values !== undefined) return { value: values[0], failure: undefined, defect: undefined }
  const [reason] = exit?.cause ?? []
  return { value: exit?.value, failure: reason?.error, defect: reason?.defect ?? defect }
}

/** Opens a connection; it closes with the scope. */
export const open = Effect.fnUntraced(function* (url: string, token: string) {
  const socket = yield* Effect.acquireRelease(
    Effect.callback<WebSocket>((resume) => {
      const opening = new WebSocket(url)
      opening.addEventListener("open", () => resume(Effect.succeed(opening)))
      opening.addEventListener("error", () => resume(Effect.die(new Error(`cannot open ${url}`))))
    }),
    (opened) => Effect.sync(() => opened.close())
  )
  const waiting = new Map<string, Waiting>()
  const closed = yield* Deferred.make<{ readonly code: number; readonly reason: string }>()
  socket.addEventListener("close", ({ code, reason }) => Deferred.doneUnsafe(closed, Effect.succeed({ code, reason })))
  socket.addEventListener("message", ({ data }) => {
    for (const line of String(data).split("\n")) {
      if (line === "") continue
      const message = JSON.parse(line) as Message // what a server sends
      const id = String(message.requestId)
      const one = waiting.get(id)
      if (message._tag === "Chunk") socket.send(`${JSON.stringify({ _tag: "Ack", requestId: message.requestId })}\n`)
      if (one === undefined || (message._tag === "Chunk" && !one.isStream)) continue
      waiting.delete(id)
      one.resolve(answerOf(message))
    }
  })
  let ids = 0

  const send = (tag: string, payload: unknown, isStream: boolean, rewrite = (json: string) => json) =>
    Effect.callback<Answer>((resume) => {
      const id = String(++ids)
      waiting.set(id, { resolve: (answer) => resume(Effect.succeed(answer)), isStream })
      const headers = [["authorization", `Bearer ${token}`]]
      socket.send(`${rewrite(JSON.stringify({ _tag: "Request", id, tag, payload, headers }))}\n`)
    })

  return {
    socket,
    /** How the connection ended, when it has. */
    closed: Deferred.await(closed),
    /** `rewrite`: of the text that is sent, for what this side's JSON cannot write. */
    ask: (tag: string, payload: unknown, rewrite?: (json: string) => string) => send(tag, payload, false, rewrite),
    /** Waits for the first chunk of a stream. */
    subscribe: (tag: string, payload: unknown) => send(tag, payload, true)
  } satisfies object
})

export type RawSocket = Effect.Success<ReturnType<typeof open>>
