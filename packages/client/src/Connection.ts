/**
 * One WebSocket to whichever coordinator answers, opened again whenever it breaks: to the next address at once, and with
 * growing pauses when none of them answers. Requests that a broken connection or a busy coordinator left unanswered are
 * sent again: all that change something carry a command id, so twice is once.
 */
import { readFileSync } from "node:fs"
import { createSecureContext } from "node:tls"
import { Clock, Duration, Effect, Latch, Layer, Redacted, Schedule, Stream } from "effect"
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
   * Coordinators of one cluster, such as `http://127.0.0.1:7117` or `https://muster.example.org`; in one text with commas
   * between them. With several, each new connection goes to the next one.
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
/**
 * Longer than a loaded coordinator takes to accept, short enough for somebody who waits before a screen. A frozen one does
 * not accept at all; where there are others there is no reason to wait for it so long.
 */
const openTimeout = { alone: Duration.seconds(5), ofSeveral: Duration.seconds(3) }

/** A frozen coordinator keeps its sockets open; its silence gives it away after 2 to 3 s. */
const liveness = { pingInterval: Duration.seconds(1), pingTimeout: Duration.millis(2_500) }

/** A connection that lasted so long was a good one: what breaks it has nothing to do with what came before. Milliseconds. */
const goodAfter = 1_000

const longestPause = Duration.seconds(2)

/** 50 ms, doubling to 2 s, each up to a fifth longer or shorter so that many clients do not return at once. */
const pauses = Schedule.min([Schedule.exponential(50), Schedule.spaced(longestPause)]).pipe(Schedule.jittered)

/** The same as a number: the pause after so many rounds through all addresses. */
const pauseAfter = (rounds: number): number =>
  Math.min(50 * 2 ** Math.min(rounds - 1, 10), Duration.toMillis(longestPause))

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
  const addresses = yield* Address.parseAll(options.url)
  const url = addresses.map((address) => address.url).join(", ")
  const token = typeof options.token === "string" ? Redacted.make(options.token) : options.token
  const ca = yield* readAuthorities(options.caFile)
  let attempts = 0
  let wasConnected = false
  let isClosing = false
  const isUp = Latch.makeUnsafe(false)
  /** When the connection that stands was opened, by the clock. */
  let since: number | undefined
  /** Connections that failed one after the other. */
  let failures = 0

  const hooks = {
    onConnect: Effect.gen(function* () {
      wasConnected = true
      since = yield* Clock.currentTimeMillis
      yield* isUp.open
      yield* options.onConnection?.(true) ?? Effect.void
    }),
    onDisconnect: Effect.gen(function* () {
      if (since !== undefined && (yield* Clock.currentTimeMillis) - since > goodAfter) failures = 0
      since = undefined
      yield* isUp.close
      // A connection that is closed on purpose is not lost.
      if (wasConnected && !isClosing) yield* options.onConnection?.(false) ?? Effect.void
    })
  }
  const nextAddress = Effect.sync(() => addresses[attempts++ % addresses.length]?.rpc ?? "")

  /** The next address is tried at once. When all have failed there is time. */
  const reconnecting = Schedule.spaced(0).pipe(
    Schedule.addDelay(() =>
      Effect.sync(() => {
        failures++
        return failures % addresses.length === 0 ? pauseAfter(failures / addresses.length) : 0
      })
    ),
    Schedule.jittered
  )

  const layer = Layer.merge(
    RpcClient.layerProtocolSocket({ retryPolicy: reconnecting, ...liveness }).pipe(
      Layer.provide([
        // By `ws`: Node's own takes longer for each message and cannot hold back who sends too much.
        Layer.effect(
          Socket.Socket,
          Socket.makeWebSocket(nextAddress, {
            openTimeout: addresses.length > 1 ? openTimeout.ofSeveral : openTimeout.alone
          })
        ).pipe(Layer.provide(webSocketConstructor(ca))),
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

  /** However little patience there is, each address is tried once. */
  const hasUntried = () => !wasConnected && addresses.length > 1 && failures < addresses.length

  /** Goes on for errors that may pass, counting from the first failure; gives the error back when it gives up. */
  const patiently = <E>() =>
    pauses.pipe(
      Schedule.setInputType<E>(),
      Schedule.tap(({ elapsed, input }) =>
        isPassing(input) && (elapsed < patience() || hasUntried()) ? Effect.void : Effect.fail(input)
      ),
      // What failed with the connection is asked again in the moment in which there is another one.
      Schedule.modifyDelay(({ duration }) =>
        isUp.isOpen()
          ? Effect.succeed(duration)
          : Effect.as(Effect.raceFirst(isUp.await, Effect.sleep(duration)), Duration.zero)
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
