/**
 * A coordinator for tests: the real RPC group on a real WebSocket, with a suite's queue in memory where the real one has
 * Postgres. Its state outlives its server, which can be closed and opened again as when a coordinator is restarted.
 */
import { NodeHttpServer } from "@effect/platform-node"
import { Effect, Exit, Layer, Queue, Scope, Stream } from "effect"
import { HttpRouter } from "effect/http"
import { RpcServer } from "effect/rpc"
import { createServer } from "node:http"
import type { Socket } from "node:net"
import { Unauthorized } from "@muster/domain/Errors"
import type { Directive } from "@muster/domain/Manager/Directive"
import { SessionFenced } from "@muster/domain/Manager/Errors"
import { Epoch, ManagerId } from "@muster/domain/Manager/Id"
import { CurrentActor, ManagersOnly } from "@muster/domain/Rpc/Authentication"
import { ManagerRpcs } from "@muster/domain/Rpc/ManagerRpcs"
import type { Lease, LogChunk, WorkerChange } from "@muster/domain/Rpc/ManagerRpcs"
import * as Serialization from "@muster/domain/Rpc/Serialization"
import { SuiteId } from "@muster/domain/Suite/Id"
import type { SuiteSpec } from "@muster/domain/Suite/Spec"
import type { AttemptResult, TaskSpec } from "@muster/domain/Task"

export const token = "enrolment-token-of-the-tests"

/** A report as it came, the first time. */
export interface Reported {
  readonly commandId: string
  readonly epoch: number
  readonly ended: ReadonlyArray<AttemptResult>
  readonly started: ReadonlyArray<readonly [number, number, number]>
  readonly returned: ReadonlyArray<readonly [number, number]>
}

interface Session {
  readonly managerId: string
  readonly epoch: number
  readonly instance: string
  readonly directives: Queue.Queue<Directive>
}

export class ScriptedCoordinator {
  /** Queued tasks of the suite. */
  readonly queue: Array<Lease> = []
  readonly results = new Map<number, AttemptResult>()
  /** Results by command id: the same one again changes nothing. */
  readonly reports = new Map<string, Reported>()
  /** How often each report came. */
  readonly deliveries = new Map<string, number>()
  /** Leases that came back. */
  readonly returned: Array<number> = []
  /** Attempts that were told to have begun. */
  readonly started = new Set<number>()
  readonly activities: Array<string> = []
  readonly workers: Array<WorkerChange> = []
  readonly released: Array<string> = []
  readonly left: Array<number> = []
  readonly ready: Array<number> = []
  readonly connects: Array<{
    readonly instance: string
    readonly epoch: number
    readonly at: number
    readonly gone: ReadonlyArray<string>
  }> = []
  readonly leases = new Map<string, ReadonlyArray<Lease>>()
  readonly leaseCalls: Array<{ readonly max: number; readonly given: number }> = []
  readonly logs = new Map<string, LogChunk>()
  heartbeats = 0
  /** Heartbeats that ask for a renewal. */
  renewals = 0
  submitted = 0
  ended = false
  heartbeatInterval = 500
  /** With what age leases are renewed; without one they are not. */
  proofAge: number | undefined = 0
  /** What becomes of reports: they are answered, or recorded without an answer, or not even heard. */
  reporting: "answered" | "unanswered" | "unheard" = "answered"
  /** Everything that happened, in its order. */
  readonly log: Array<string> = []
  /** Sessions of these epochs are over. */
  readonly fenced = new Set<number>()
  suite: { readonly suiteId: SuiteId; readonly spec: SuiteSpec } | undefined
  private session: Session | undefined
  private epoch = 0
  private scope: Scope.Closeable | undefined
  port = 0
  private readonly sockets = new Set<Socket>()
  private readonly pollers = new Set<() => void>()
  private readonly watchers = new Set<() => void>()

  /** Ends when `condition` holds, which is looked at after each call. */
  until(what: string, condition: () => boolean, limit = 25_000): Effect.Effect<void> {
    return Effect.callback<void>((resume) => {
      const look = () => {
        if (!condition()) return
        this.watchers.delete(look)
        resume(Effect.void)
      }
      this.watchers.add(look)
      look()
      return Effect.sync(() => this.watchers.delete(look))
    }).pipe(
      Effect.timeoutOrElse({
        duration: limit,
        orElse: () => Effect.die(new Error(`not within ${limit} ms: ${what}`))
      })
    )
  }

  submit(specs: ReadonlyArray<TaskSpec>): void {
    for (const spec of specs) this.queue.push({ index: this.submitted++, attempt: 1, spec })
    for (const poller of this.pollers) poller()
  }

  assign(suiteId: string, spec: SuiteSpec = {}): void {
    this.suite = { suiteId: SuiteId.make(suiteId), spec }
    this.say({ _tag: "Assigned", ...this.suite })
  }

  say(directive: Directive): void {
    if (this.session !== undefined) Queue.offerUnsafe(this.session.directives, directive)
  }

  /** Has open calls for tasks answered. */
  wake(): void {
    for (const poller of this.pollers) poller()
  }

  get open(): Effect.Effect<void> {
    return Effect.gen({ self: this }, function* () {
      const scope = yield* Scope.make()
      this.scope = scope
      const server = createServer()
      const { sockets } = this
      server.on("connection", (socket) => {
        sockets.add(socket)
        socket.once("close", () => sockets.delete(socket))
      })
      const routes = RpcServer.layerHttp({
        group: ManagerRpcs,
        path: "/ws/managers",
        protocol: "websocket",
        disableTracing: true
      }).pipe(Layer.provide(this.handlers), Layer.provide(authentication), Layer.provide(Serialization.layer))
      const app = HttpRouter.serve(routes, { disableLogger: true, disableListenLog: true }).pipe(
        Layer.provide(NodeHttpServer.layer(() => server, { port: this.port, host: "127.0.0.1" }))
      )
      yield* Effect.orDie(Layer.buildWithScope(app, scope))
      const address = server.address()
      if (typeof address === "object" && address !== null) this.port = address.port
    })
  }

  /** Closes the server at once, as when its process is killed. */
  get close(): Effect.Effect<void> {
    return Effect.suspend(() => {
      const scope = this.scope
      this.scope = undefined
      for (const socket of this.sockets) socket.destroy()
      return scope === undefined ? Effect.void : Scope.close(scope, Exit.void)
    })
  }

  private changed(): void {
    for (const watcher of this.watchers) watcher()
  }

  private fence(managerId: string, epoch: number): SessionFenced | undefined {
    if (!this.fenced.has(epoch)) return undefined
    return new SessionFenced({
      managerId: ManagerId.make(managerId),
      epoch: Epoch.make(epoch),
      current: Epoch.make(this.epoch)
    })
  }

  private note(managerId: string, epoch: number, change: () => void) {
    return Effect.suspend(() => {
      const error = this.fence(managerId, epoch)
      if (error !== undefined) return Effect.fail(error)
      change()
      this.changed()
      return Effect.void
    })
  }

  private take(commandId: string, max: number): ReadonlyArray<Lease> {
    const known = this.leases.get(commandId)
    if (known !== undefined) return known
    const leases = this.queue.splice(0, max)
    if (leases.length > 0) this.leases.set(commandId, leases)
    this.leaseCalls.push({ max, given: leases.length })
    return leases
  }

  private readonly handlers = ManagerRpcs.toLayer(
    ManagerRpcs.of({
      Connect: ({ gone = [], instance, managerId }) => {
        const isSame = this.session?.instance === instance && !this.fenced.has(this.session.epoch)
        if (!isSame) this.epoch++
        const epoch = isSame && this.session !== undefined ? this.session.epoch : this.epoch
        const over = this.connects.find((connect) => connect.instance === instance && this.fenced.has(connect.epoch))
        const error = over === undefined ? undefined : this.fence(managerId, over.epoch)
        if (error !== undefined) return Stream.fail(error)
        const directives = Effect.runSync(Queue.unbounded<Directive>())
        this.session = { managerId, epoch, instance, directives }
        this.connects.push({ instance, epoch, at: Date.now(), gone })
        this.say({ _tag: "Welcome", epoch: Epoch.make(epoch), heartbeatInterval: this.heartbeatInterval })
        if (isSame && this.suite !== undefined) this.say({ _tag: "Assigned", ...this.suite })
        this.changed()
        return Stream.fromQueue(directives)
      },
      Ready: ({ epoch, managerId }) =>
        this.note(managerId, epoch, () => {
          this.ready.push(epoch)
          this.log.push(`ready ${epoch}`)
        }),
      Heartbeat: ({ epoch, managerId, renews = false }) =>
        Effect.as(
          this.note(managerId, epoch, () => {
            this.heartbeats++
            if (renews) this.renewals++
          }),
          renews && this.proofAge !== undefined ? { age: this.proofAge } : undefined
        ),
      ChangeActivity: ({ activity, epoch, managerId }) =>
        this.note(managerId, epoch, () => this.activities.push(activity)),
      LeaseTasks: ({ commandId, max, wait }) =>
        Effect.suspend(() => {
          const leases = this.take(commandId, max)
          if (leases.length > 0 || this.ended || wait === 0) return Effect.succeed({ leases, ended: this.ended })
          return Effect.callback<void>((resume) => {
            const poller = () => resume(Effect.void)
            this.pollers.add(poller)
            return Effect.sync(() => this.pollers.delete(poller))
          }).pipe(
            Effect.timeoutOption(wait),
            Effect.map(() => ({ leases: this.take(commandId, max), ended: this.ended }))
          )
        }),
      ReportTasks: ({ commandId, ended, epoch, returned, started }) =>
        Effect.suspend(() => {
          if (this.reporting === "unheard") return Effect.never
          this.deliveries.set(commandId, (this.deliveries.get(commandId) ?? 0) + 1)
          if (this.reports.has(commandId)) return Effect.succeed({ accepted: 0, repeated: ended.length, late: 0 })
          this.log.push(`report of epoch ${epoch}`)
          this.reports.set(commandId, { commandId, epoch, ended, started, returned })
          this.returned.push(...returned.map(([index]) => index))
          for (const [index] of started) this.started.add(index)
          let accepted = 0
          for (const result of ended) {
            if (this.results.has(result.index)) continue
            this.results.set(result.index, result)
            accepted++
          }
          this.changed()
          if (this.reporting === "unanswered") return Effect.never
          return Effect.succeed({ accepted, repeated: ended.length - accepted, late: 0 })
        }),
      Released: ({ epoch, managerId, suiteId }) => this.note(managerId, epoch, () => this.released.push(suiteId)),
      ReportWorkers: ({ changes, epoch, managerId }) =>
        this.note(managerId, epoch, () => this.workers.push(...changes)),
      AnswerLog: ({ chunk, epoch, managerId, requestId }) =>
        this.note(managerId, epoch, () => this.logs.set(requestId, chunk)),
      Leave: ({ epoch, managerId }) => this.note(managerId, epoch, () => this.left.push(epoch))
    })
  )
}

const authentication = Layer.succeed(ManagersOnly, (effect, { headers }) =>
  headers["authorization"] === `Bearer ${token}`
    ? Effect.provideService(effect, CurrentActor, { role: "enrolment", name: "token:test" })
    : Effect.fail(new Unauthorized({ reason: "the token is unknown" }))
)

/** A coordinator that is open until the scope is closed. */
export const make = Effect.gen(function* () {
  const coordinator = new ScriptedCoordinator()
  yield* coordinator.open
  yield* Effect.addFinalizer(() => coordinator.close)
  return coordinator
})
