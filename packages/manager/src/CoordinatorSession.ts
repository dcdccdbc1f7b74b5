/**
 * A manager's conversation with its coordinators: connects, stays connected, and repeats what was not answered. Nothing
 * that runs on the machine is disturbed when it breaks.
 *
 * A session is one `instance`. It survives any number of connections, and any of the coordinators may hold it. It is over
 * when a coordinator says so (`SessionFenced`); the next one is another instance with another epoch.
 */
import { Cause, Context, Data, Deferred, Effect, Exit, Latch, Layer, Option, Random, Result, Stream } from "effect"
import type { Scope } from "effect"
import type { Directive } from "@muster/domain/Manager/Directive"
import { SessionFenced } from "@muster/domain/Manager/Errors"
import type { Epoch, ManagerId } from "@muster/domain/Manager/Id"
import type { Activity, ManagerSpec } from "@muster/domain/Manager/Spec"
import * as Lease from "@muster/domain/Lease"
import * as OpenProblem from "@muster/domain/Rpc/OpenProblem"
import * as Backoff from "./Backoff.ts"
import * as BootClock from "./BootClock.ts"
import * as Connection from "./Connection.ts"
import { Instances } from "./Instances.ts"
import { ManagerConfig } from "./ManagerConfig.ts"
import { SuiteLease } from "./SuiteLease.ts"
import * as TlsFiles from "./TlsFiles.ts"

/** Who speaks. */
export interface Speaker {
  readonly managerId: ManagerId
  readonly epoch: Epoch
}

/** What a session asks of the rest of the manager. */
export interface Callbacks {
  readonly managerId: ManagerId
  readonly spec: ManagerSpec
  /** Hands in what earlier sessions left behind. The coordinator is told that work may be assigned when it has ended. */
  readonly beforeReady: Effect.Effect<void>
  /** The coordinator knows that it may assign work. Run after each connect. */
  readonly onReady: Effect.Effect<void>
  readonly onDirective: (directive: Exclude<Directive, { readonly _tag: "Welcome" }>) => void
  /** What the next heartbeat tells. */
  readonly pulse: () => Pulse
}

export interface Pulse {
  readonly activity: Activity
  readonly running: number
  readonly buffered: number
  readonly prefetchHits: number
  readonly prefetchMisses: number
}

/** The coordinator does not accept the token, or the certificate. */
export class TokenRefused extends Data.TaggedError("TokenRefused")<{ readonly url: string; readonly reason: string }> {
  override get message() {
    const what = this.reason.includes("certificate") ? "this manager" : "the token (MUSTER_TOKEN)"
    return `the coordinator at ${this.url} refuses ${what}: ${this.reason}`
  }
}

interface Tagged {
  readonly _tag: string
}

/** Errors that say nothing about the call: the line is down, or the coordinator cannot answer now. */
type Passing = "RpcClientError" | "Unavailable" | "ManagerOffline" | "Unauthorized" | "SessionFenced"
const passing: ReadonlySet<string> = new Set<Passing>([
  "RpcClientError",
  "Unavailable",
  "ManagerOffline",
  "Unauthorized",
  "SessionFenced"
])

/** What remains of a call's errors when it is repeated until it is answered. */
export type Lasting<E> = Exclude<E, { readonly _tag: Passing }>

type Request<A, E> = (client: Connection.Client, speaker: Speaker) => Effect.Effect<A, E>

export class CoordinatorSession extends Context.Service<
  CoordinatorSession,
  {
    /** Opens a session and keeps it until it is fenced, however often the connection breaks. */
    readonly run: (callbacks: Callbacks) => Effect.Effect<SessionFenced, TokenRefused>
    /** Who speaks in the session that is open, or was last. Nothing before the first `Welcome`. */
    readonly speaker: () => Speaker | undefined
    /**
     * Makes a call again and again until it is answered, over as many connections as it takes. What must happen only once
     * carries a command id. Between two sessions it waits: what belongs to one session alone must be interrupted with it.
     */
    readonly call: <A, E extends Tagged>(request: Request<A, E>) => Effect.Effect<A, Lasting<E>>
    /** Makes a call once, if there is a connection, and does not care for the answer. */
    readonly tryOnce: <A, E>(request: Request<A, E>) => Effect.Effect<void>
  }
>()("@muster/manager/CoordinatorSession") {}

/** Wait before a call that failed is made again on a connection that stands. Milliseconds. */
const callRetry = { base: 100, limit: 5_000 }

/**
 * A coordinator that accepted the connection says `Welcome` within this time. One that is frozen accepts and says nothing;
 * there has to be time for another one before the session is given up, 10 s after its last connection ended.
 */
const welcomeTimeout = "4 seconds"

/** A heartbeat without an answer for this long, or for two intervals if that is longer, means that the line is dead. */
const heartbeatTimeout = 10_000

/** Before another heartbeat when the lease is wanted at once. Milliseconds. */
const wantedWait = 200

/** After so many refused heartbeats in a row the manager connects anew: this coordinator may have lost its footing. */
const maxFailedHeartbeats = 3

/** The answer to a manager whose certificate is not good. */
const forbidden = 403

/** Why a connection ended. */
type Ending =
  | { readonly _tag: "Fenced"; readonly error: SessionFenced }
  | { readonly _tag: "Refused"; readonly reason: string }
  | { readonly _tag: "Broken"; readonly reason: string }

const broken = (reason: string): Ending => ({ _tag: "Broken", reason })

/** A connection on which the coordinator said `Welcome`. */
interface Connected {
  readonly client: Connection.Client
  readonly speaker: Speaker
  /** Completed by whoever finds that it cannot go on. */
  readonly ending: Deferred.Deferred<Ending>
}

const make = Effect.gen(function* () {
  const config = yield* ManagerConfig
  const open = yield* Connection.Open
  const instances = yield* Instances
  const lease = yield* SuiteLease
  const isUp = Latch.makeUnsafe(false)
  let connected: Connected | undefined
  let lastSpeaker: Speaker | undefined

  const call = Effect.fnUntraced(function* <A, E extends Tagged>(request: Request<A, E>) {
    for (let failures = 1; ; failures++) {
      yield* isUp.await
      if (connected === undefined) continue
      const { client, ending, speaker } = connected
      const exit = yield* Effect.exit(request(client, speaker))
      if (Exit.isSuccess(exit)) return exit.value
      // If it was this fiber that was interrupted, it ends here. Otherwise the coordinator's was, or it had a defect: that
      // is its own affair, and next time it may do better.
      yield* Effect.yieldNow
      const error = Cause.findErrorOption(exit.cause)
      if (Option.isSome(error)) {
        if (!passing.has(error.value._tag)) return yield* Effect.fail(error.value as Lasting<E>) // no other is left
        const end = endingOf(error.value)
        if (end !== undefined) yield* Deferred.succeed(ending, end)
      }
      const wait = Backoff.exponential(failures, callRetry.base, callRetry.limit)
      yield* Effect.sleep(Backoff.jittered(wait, yield* Random.next))
    }
  })

  const tryOnce = <A, E>(request: Request<A, E>) =>
    Effect.suspend(() =>
      connected === undefined ? Effect.void : Effect.asVoid(Effect.exit(request(connected.client, connected.speaker)))
    )

  /**
   * Tells that the manager lives, and finds out whether the coordinator does. Its answer renews the lease, from before the
   * question was asked.
   */
  const beat = Effect.fnUntraced(function* (on: Connected, interval: number, pulse: Callbacks["pulse"]) {
    let failed = 0
    // Managers that lost the same coordinator come back together, and shall not beat together ever after.
    let wait = interval * (yield* Random.next)
    while (failed < maxFailedHeartbeats) {
      yield* Effect.raceFirst(Effect.sleep(wait), Effect.delay(lease.isWanted, Math.min(wait, wantedWait)))
      const asked = lease.asked()
      wait = asked === undefined ? interval : Lease.renewEvery(asked, interval)
      const usual = Math.max(heartbeatTimeout, 2 * interval)
      const patience = asked === undefined ? usual : Lease.answerWithin(asked, usual)
      const sentAt = BootClock.now()
      const exit = yield* on.client
        .Heartbeat({ ...on.speaker, ...pulse(), ...(asked === undefined ? {} : { renews: true }) })
        .pipe(Effect.timeoutOption(patience), Effect.exit)
      const age = Exit.isSuccess(exit) && Option.isSome(exit.value) ? exit.value.value?.age : undefined
      if (age !== undefined) lease.renewed(sentAt - Math.ceil(age))
      failed = Exit.isSuccess(exit) ? 0 : failed + 1
      if (Exit.isFailure(exit)) {
        const error = Cause.findErrorOption(exit.cause)
        const end = Option.isSome(error) ? endingOf(error.value) : undefined
        if (end !== undefined) yield* Deferred.succeed(on.ending, end)
      } else if (Option.isNone(exit.value)) {
        yield* Deferred.succeed(on.ending, broken(`a heartbeat was not answered within ${patience} ms`))
      }
    }
    yield* Deferred.succeed(on.ending, broken(`${failed} heartbeats in a row were refused`))
  })

  const makeReady = Effect.fnUntraced(function* (callbacks: Callbacks) {
    yield* callbacks.beforeReady
    yield* call((client, speaker) => client.Ready(speaker))
    yield* callbacks.onReady
  })

  /** One connection from beginning to end. `epoch` is the session's, if it has one yet. */
  const converse = Effect.fnUntraced(function* (
    url: string,
    session: { readonly instance: string; readonly gone: ReadonlyArray<string> },
    epoch: Epoch | undefined,
    callbacks: Callbacks
  ): Effect.fn.Return<{ readonly ending: Ending; readonly epoch: Epoch | undefined }, never, Scope.Scope> {
    const { managerId, spec } = callbacks
    const ending = yield* Deferred.make<Ending>()
    // Read each time, since certificates are replaced while a manager runs.
    const tls = yield* Effect.result(TlsFiles.read(config))
    if (Result.isFailure(tls)) return { ending: broken(tls.failure.message), epoch: undefined }
    const client = yield* open(url, config.token, {
      isAlone: config.urls.length === 1,
      tls: tls.success,
      onRefused: ({ reason, status }) =>
        Deferred.doneUnsafe(ending, Effect.succeed(status === forbidden ? { _tag: "Refused", reason } : broken(reason)))
    })
    let welcomedAs: Epoch | undefined
    const scope = yield* Effect.scope

    yield* Effect.addFinalizer(() =>
      Effect.suspend(() => {
        connected = undefined
        return isUp.close
      })
    )
    const welcome = Effect.fnUntraced(function* (current: Epoch, interval: number) {
      if (epoch !== undefined && epoch !== current) {
        // The coordinator has given up the session and begun another one: the work of this one belongs to others now.
        const error = new SessionFenced({ managerId, epoch, current })
        yield* Deferred.succeed(ending, { _tag: "Fenced", error })
        return
      }
      welcomedAs = current
      lastSpeaker = { managerId, epoch: current }
      connected = { client, speaker: lastSpeaker, ending }
      yield* isUp.open
      yield* Effect.forkIn(beat(connected, interval, callbacks.pulse), scope)
      yield* Effect.forkIn(makeReady(callbacks), scope)
    })
    yield* client.Connect({ managerId, spec, ...session }).pipe(
      Stream.runForEach((directive) =>
        directive._tag === "Welcome"
          ? welcome(directive.epoch, directive.heartbeatInterval)
          : Effect.sync(() => callbacks.onDirective(directive))
      ),
      Effect.exit,
      Effect.flatMap((exit) => Deferred.succeed(ending, endingOfStream(url, exit))),
      Effect.forkScoped
    )
    yield* Effect.sleep(welcomeTimeout).pipe(
      Effect.flatMap(() =>
        welcomedAs === undefined ? Deferred.succeed(ending, broken("the coordinator does not answer")) : Effect.void
      ),
      Effect.forkScoped
    )
    return { ending: yield* Deferred.await(ending), epoch: welcomedAs }
  })

  const run = Effect.fn("CoordinatorSession.run")(function* (callbacks: Callbacks) {
    const { reconnectMax, reconnectMin, urls } = config
    const { gone, instance } = yield* instances.next
    lease.forget()
    let epoch: Epoch | undefined
    let failures = 0
    for (let turn = 0; ; turn++) {
      const url = urls[turn % urls.length] ?? ""
      const { ending, epoch: welcomedAs } = yield* Effect.scoped(converse(url, { instance, gone }, epoch, callbacks))
      if (ending._tag === "Fenced") return ending.error
      if (ending._tag === "Refused" && lastSpeaker === undefined) {
        return yield* new TokenRefused({ url, reason: ending.reason })
      }
      failures = welcomedAs === undefined ? failures + 1 : 1
      epoch = welcomedAs ?? epoch
      // Another coordinator is tried at once. When all have failed there is time.
      const rounds = failures % urls.length === 0 ? failures / urls.length : 0
      const wait = Backoff.jittered(Backoff.exponential(rounds, reconnectMin, reconnectMax), yield* Random.next)
      yield* Effect.logWarning(
        `${welcomedAs === undefined ? "no connection to" : "lost the connection to"} the coordinator at ${url} ` +
          `(${ending.reason}); next try in ${(wait / 1_000).toFixed(1)} s`
      )
      yield* Effect.sleep(wait)
    }
  })

  return CoordinatorSession.of({ run, call, tryOnce, speaker: () => lastSpeaker })
})

/** What an error says about the connection on which it came, if it says something. */
const endingOf = (error: Tagged): Ending | undefined => {
  if (error._tag === "SessionFenced") return { _tag: "Fenced", error: error as SessionFenced } // by its tag
  return error._tag === "ManagerOffline" ? broken("the coordinator does not know the session") : undefined
}

/** Why there is no connection, as far as can be told; the transport's own words otherwise. */
const explain = (url: string, error: Tagged & { readonly message: string }): string => {
  const code = OpenProblem.codeOf(error)
  if (code === "ECONNRESET" && url.startsWith("ws:")) return OpenProblem.perhapsTls
  return OpenProblem.explainTls(error) ?? OpenProblem.explainNetwork(code) ?? error.message
}

const endingOfStream = (url: string, exit: Exit.Exit<void, Tagged & { readonly message: string }>): Ending => {
  if (Exit.isSuccess(exit)) return broken("the coordinator ended the session's stream")
  const error = Cause.findErrorOption(exit.cause)
  if (Option.isNone(error)) return broken("the coordinator stopped")
  const { _tag, message } = error.value
  return _tag === "Unauthorized"
    ? { _tag: "Refused", reason: message }
    : (endingOf(error.value) ?? broken(explain(url, error.value)))
}

export const layer: Layer.Layer<CoordinatorSession, never, Instances | ManagerConfig | SuiteLease> = Layer.effect(
  CoordinatorSession,
  make
)
