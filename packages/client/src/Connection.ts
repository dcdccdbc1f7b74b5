/**
 * One WebSocket to whichever coordinator answers, opened again whenever it breaks. Requests that a broken connection or a
 * busy coordinator left unanswered are sent again: all that change something carry a command id, so twice is once.
 */
import { readFileSync } from "node:fs"
import { createSecureContext } from "node:tls"
import { Duration, Effect, Layer, Redacted, Schedule, Stream } from "effect"
import type { Scope } from "effect"
import { Headers } from "effect/http"
import { RpcClient, RpcMiddleware } from "effect/rpc"
import type { RpcClientError, RpcGroup } from "effect/rpc"
import * as Socket from "effect/socket/Socket"
import * as NodeWS from "@effect/platform-node/NodeWS"
import { InvalidInput } from "@muster/domain/Errors"
import { AdminOnly } from "@muster/domain/Rpc/Authentication"
import { ClientRpcs } from "./TrustedRpcs.ts"
import * as Serialization from "@muster/domain/Rpc/Serialization"
import * as Address from "./Address.ts"
import { ServerUnreachable } from "./Errors.ts"
import * as Reachability from "./Reachability.ts"

export interface Options {
  /**
   * Coordinators, such as `http://127.0.0.1:7117` or `https://muster.example.org`. With several, each new connection goes
   * to the next one.
   */
  readonly url: string | ReadonlyArray<string>
  /** PEM file with the authorities whose word is taken for coordinators' certificates, in place of the system's. */
  readonly caFile?: string
  readonly token: string | Redacted.Redacted
  /** How long to go on trying before the first connection (default 5 s). Zero: fail at the first refusal. */
  readonly connectTimeout?: Duration.Input
  /** How long one request is repeated while a connection that was there is gone, or the server is busy (default 60 s). */
  readonly repeatFor?: Duration.Input
  /** Told when the connection is there, and when it is gone. */
  readonly onConnection?: (connected: boolean) => Effect.Effect<void>
}

const defaultConnectTimeout = Duration.seconds(5)
const defaultRepeatFor = Duration.seconds(60)
/** Longer than a loaded coordinator takes to accept, short enough for somebody who waits before a screen. */
const openTimeout = Duration.seconds(5)
const longestPause = Duration.seconds(2)

/** 50 ms, doubling to 2 s, each up to a fifth longer or shorter so that many clients do not return at once. */
const pauses = Schedule.min([Schedule.exponential(50), Schedule.spaced(longestPause)]).pipe(Schedule.jittered)

export type Rpcs = RpcGroup.Rpcs<typeof ClientRpcs>
type Client = RpcClient.RpcClient<Rpcs, RpcClientError.RpcClientError>

export interface Connection {
  /** The requests as the coordinator offers them. Wrap each in `call` or `stream`. */
  readonly rpc: Client
  /** Sends a request until it is answered, or fails when that takes too long. */
  readonly call: <A, E, R>(request: Effect.Effect<A, E, R>) => Effect.Effect<A, Lasting<E>, R>
  /** Asks for a stream again when it breaks; `stream` is evaluated each time and may go on from where it was. */
  readonly stream: <A, E, R>(stream: () => Stream.Stream<A, E, R>) => Stream.Stream<A, Lasting<E>, R>
  readonly url: string
}

/** What is left of a request's errors when those of the connection have been dealt with. */
export type Lasting<E> = Exclude<E, RpcClientError.RpcClientError> | ServerUnreachable

const isTagged = <Tag extends string>(error: unknown, tag: Tag): error is { readonly _tag: Tag } =>
  typeof error === "object" && error !== null && "_tag" in error && error._tag === tag

const isConnectionError = <E>(error: E): error is Extract<E, RpcClientError.RpcClientError> =>
  isTagged(error, "RpcClientError")

/** Errors that may be gone on the next try. */
const isPassing = (error: unknown): boolean => isConnectionError(error) || isTagged(error, "Unavailable")

/** Certificates are always checked, also where the environment tells Node not to. */
const webSocketConstructor = (ca: string | undefined) =>
  Layer.succeed(Socket.WebSocketConstructor)(
    (url, options) =>
      new NodeWS.WebSocket(url, typeof options === "string" || Array.isArray(options) ? options : options?.protocols, {
        rejectUnauthorized: true,
        ...(ca === undefined ? {} : { ca })
      })
  )

const readAuthorities = (file: string | undefined): Effect.Effect<string | undefined, InvalidInput> =>
  file === undefined
    ? Effect.undefined
    : Effect.try({
        try: () => {
          const text = readFileSync(file, "utf8")
          // Says what is wrong with it now and not at the first connection.
          createSecureContext({ ca: text })
          if (!text.includes("BEGIN CERTIFICATE")) throw new Error("there is none in it")
          return text
        },
        catch: () =>
          new InvalidInput({
            field: "the authorities' file (MUSTER_TLS_CA)",
            value: JSON.stringify(file),
            expected: "a file of certificates in PEM that may be read"
          })
      })

const tokenLayer = (token: Redacted.Redacted) =>
  RpcMiddleware.layerClient(AdminOnly, ({ next, request }) =>
    next({ ...request, headers: Headers.set(request.headers, "authorization", `Bearer ${Redacted.value(token)}`) })
  )

/** Opens the connection in the background; it closes with the scope. Fails only when an address is malformed. */
export const make = Effect.fnUntraced(function* (
  options: Options
): Effect.fn.Return<Connection, InvalidInput, Scope.Scope> {
  const addresses = yield* Effect.forEach(typeof options.url === "string" ? [options.url] : options.url, Address.parse)
  const url = addresses.map((address) => address.url).join(", ")
  const token = typeof options.token === "string" ? Redacted.make(options.token) : options.token
  const ca = yield* readAuthorities(options.caFile)
  let attempts = 0
  let wasConnected = false
  let isClosing = false

  const hooks = {
    onConnect: Effect.suspend(() => {
      wasConnected = true
      return options.onConnection?.(true) ?? Effect.void
    }),
    // A connection that is closed on purpose is not lost.
    onDisconnect: Effect.suspend(() =>
      wasConnected && !isClosing ? (options.onConnection?.(false) ?? Effect.void) : Effect.void
    )
  }
  const nextAddress = Effect.sync(() => addresses[attempts++ % addresses.length]?.rpc ?? "")

  const layer = Layer.merge(
    RpcClient.layerProtocolSocket({ retryPolicy: pauses }).pipe(
      Layer.provide([
        // By `ws`: Node's own takes longer for each message and cannot hold back who sends too much.
        Layer.effect(Socket.Socket, Socket.makeWebSocket(nextAddress, { openTimeout })).pipe(
          Layer.provide(webSocketConstructor(ca))
        ),
        Serialization.layer,
        Layer.succeed(RpcClient.ConnectionHooks, hooks)
      ])
    ),
    tokenLayer(token)
  )
  const context = yield* Layer.build(layer)
  yield* Effect.addFinalizer(() => Effect.sync(() => void (isClosing = true)))
  const rpc = yield* Effect.provideContext(RpcClient.make(ClientRpcs, { disableTracing: true }), context)

  /** Milliseconds. Asked at the time of a failure: what was reachable once deserves more patience. */
  const patience = () =>
    Duration.toMillis(
      wasConnected ? (options.repeatFor ?? defaultRepeatFor) : (options.connectTimeout ?? defaultConnectTimeout)
    )

  /** Goes on for errors that may pass, counting from the first failure; gives the error back when it gives up. */
  const patiently = <E>() =>
    pauses.pipe(
      Schedule.setInputType<E>(),
      Schedule.tap(({ elapsed, input }) =>
        isPassing(input) && elapsed < patience() ? Effect.void : Effect.fail(input)
      )
    )

  const explain = <E>(error: E): Effect.Effect<never, Lasting<E>> =>
    isConnectionError(error)
      ? Effect.flatMap(Reachability.explain(addresses, error), (reason) =>
          Effect.fail(new ServerUnreachable({ url, reason }))
        )
      : Effect.fail(error as Exclude<E, RpcClientError.RpcClientError>) // the guard above took the others out

  const call = <A, E, R>(request: Effect.Effect<A, E, R>): Effect.Effect<A, Lasting<E>, R> =>
    Effect.retry(request, patiently<E>()).pipe(Effect.catch(explain))

  const stream = <A, E, R>(subscribe: () => Stream.Stream<A, E, R>): Stream.Stream<A, Lasting<E>, R> =>
    Stream.suspend(subscribe).pipe(
      Stream.retry(patiently<E>()),
      Stream.catch((error) => Stream.fromEffect(explain(error)))
    )

  return { url, rpc, call, stream }
})
