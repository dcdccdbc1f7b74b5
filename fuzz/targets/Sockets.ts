/**
 * The WebSockets of a real coordinator: frames as bytes, from callers with every token and with none. After each case the
 * coordinator is asked something on the same connection; that it answers is the proof that it has not stuck.
 */
import { NodeWS } from "@effect/platform-node"
import { Effect } from "effect"
import * as fc from "fast-check"
import * as Coordinator from "../Coordinator.ts"
import { changed, damaged, nastyText, nastyValue, noise, sample } from "../Inputs.ts"
import { assertNoBug, violated } from "../Target.ts"
import type { Target } from "../Target.ts"

const spec = {
  name: "machine",
  tags: ["linux"],
  labels: [],
  workers: 2,
  version: "0.1.0",
  host: { hostname: "machine", platform: "linux-x64", cpus: 2, memory: 1_000_000 }
}

type Requests = Readonly<Record<string, unknown>>

/** Names of the things that requests are about. */
interface Names {
  readonly suiteId: string
  readonly managerId: string
  readonly name: string
}

export const known: Names = { suiteId: "1m7xsk1ryjnaaa19", managerId: "1m7xsjws9y0zph5a", name: "known" }

/** Good requests, of which bad ones are made. What would end the test itself (revoking its token) is left out. */
export const clientRequests = ({ managerId, name: commandId, suiteId }: Names): Requests => ({
  GetServerInfo: null,
  CreateSuite: { suiteId, spec: { name: "x", labels: ["a"], defaults: { timeout: 1_000 } }, commandId },
  SubmitTasks: {
    suiteId,
    tasks: [
      { program: "true", args: ["x"] },
      { handler: "h", input: { a: [1] } }
    ],
    commandId
  },
  CloseSuite: { suiteId, commandId },
  PauseSuite: { suiteId, commandId },
  ResumeSuite: { suiteId, commandId },
  CancelSuite: { suiteId, mode: "force", reason: "x", commandId },
  RetryTasks: { suiteId, tasks: [0, 1], commandId },
  CancelTasks: { suiteId, tasks: [0], reason: "x", commandId },
  GetSuite: { suiteId },
  ListSuites: { limit: 10, states: ["open"], labels: ["a"], name: "x" },
  WatchSuite: { suiteId, interval: 20 },
  StreamResults: { suiteId, follow: false },
  ListTasks: { suiteId, limit: 10, states: ["queued"] },
  GetTask: { taskId: `${suiteId}.0` },
  ReadTaskLog: { taskId: `${suiteId}.0`, stream: "stdout", offset: 0, limit: 100 },
  ListManagers: { limit: 10, tags: ["linux"] },
  GetManager: { managerId },
  DrainManager: { managerId, draining: true, commandId },
  ShutdownManager: { managerId, mode: "graceful", commandId },
  ListWorkers: { managerId },
  ListEvents: { stream: `suite-${suiteId}`, limit: 10 },
  TailEvents: { stream: `suite-${suiteId}`, cursor: "0" },
  CreateToken: { name: commandId, role: "enrolment" },
  ListTokens: null
})

const managerRequests = ({ managerId, name: commandId, suiteId }: Names): Requests => {
  const session = { managerId, epoch: 1 }
  return {
    Connect: { managerId, instance: "instance", spec },
    Ready: session,
    Heartbeat: { ...session, activity: "idle", running: 0, buffered: 0, prefetchHits: 1 },
    ChangeActivity: { ...session, activity: "executing", suiteId },
    LeaseTasks: { ...session, suiteId, commandId, max: 10, wait: 0 },
    ReportTasks: {
      ...session,
      suiteId,
      commandId,
      started: [[0, 1, 1_760_000_000_000]],
      ended: [[0, 1, 0, 1_760_000_000_000, 12.5, { exitCode: 0 }]],
      returned: [[1, 1]]
    },
    Released: { ...session, suiteId },
    ReportWorkers: { ...session, changes: [{ slot: 0, change: "started", pid: 1, at: 1_760_000_000_000 }] },
    AnswerLog: { ...session, requestId: "r", chunk: { data: "AAAA", size: 3, ended: true, missing: false } },
    Leave: session
  }
}

const text = (value: unknown): string => JSON.stringify(value) ?? "null"

/** Frames that are sent one after the other. */
const frames = (requests: Requests, authorizations: ReadonlyArray<string>): fc.Arbitrary<ReadonlyArray<Buffer>> => {
  const id = fc.integer({ min: 1, max: 1_000_000 }).map(String)
  const request = fc
    .tuple(fc.constantFrom(...Object.keys(requests)), id, fc.constantFrom(...authorizations))
    .map(([tag, requestId, authorization]) => ({
      _tag: "Request",
      id: requestId,
      tag,
      payload: requests[tag],
      headers: authorization === "" ? [] : [["authorization", authorization]]
    }))
  const badPayload = request.chain((good) => changed(good.payload).map((payload) => text({ ...good, payload })))
  const badEnvelope = request.chain((good) => changed(good).map(text))
  const badBytes = request.chain((good) => damaged(Buffer.from(`${text(good)}\n`)))
  const other = fc
    .tuple(
      fc.constantFrom("Ack", "Interrupt", "Ping", "Eof", "Pong", "Defect", "Exit", "Chunk"),
      fc.oneof(id, nastyValue),
      nastyValue
    )
    .map(([tag, requestId, value]) => text({ _tag: tag, requestId, value }))
  const strangeHeaders = fc
    .tuple(request, fc.array(fc.tuple(nastyText, nastyText), { maxLength: 4 }))
    .map(([good, headers]) => text({ ...good, headers: [...good.headers, ...headers] }))
  const frame = fc.oneof(
    { weight: 6, arbitrary: badPayload.map((line) => Buffer.from(`${line}\n`)) },
    { weight: 3, arbitrary: badEnvelope.map((line) => Buffer.from(`${line}\n`)) },
    { weight: 4, arbitrary: badBytes },
    { weight: 1, arbitrary: other.map((line) => Buffer.from(`${line}\n`)) },
    { weight: 1, arbitrary: strangeHeaders.map((line) => Buffer.from(`${line}\n`)) },
    { weight: 1, arbitrary: nastyValue.map((value) => Buffer.from(`${text(value)}\n`)) },
    { weight: 1, arbitrary: noise }
  )
  return fc.array(frame, { minLength: 1, maxLength: 3 })
}

/** One connection, and the answers that come on it. */
class Connection {
  readonly socket: InstanceType<typeof NodeWS.WebSocket>
  cases = 0
  private readonly answers: Array<string> = []
  private wake: () => void = () => undefined

  constructor(url: string) {
    this.socket = new NodeWS.WebSocket(url)
    this.socket.on("message", (data: Buffer) => {
      this.answers.push(data.toString())
      this.wake()
    })
    for (const event of ["open", "close", "error"] as const) this.socket.on(event, () => this.wake())
  }

  get isOpen(): boolean {
    return this.socket.readyState === NodeWS.WebSocket.OPEN
  }

  /** Waits for something to happen. */
  private next(): Promise<void> {
    return new Promise((resolve) => {
      this.wake = resolve
    })
  }

  async opened(): Promise<void> {
    while (this.socket.readyState === NodeWS.WebSocket.CONNECTING) await this.next()
    if (!this.isOpen) violated("the coordinator takes no connections")
  }

  /** All that came until the answer to the request of this id, or until the coordinator closed the connection. */
  async until(id: string): Promise<ReadonlyArray<string>> {
    const heard: Array<string> = []
    const probe = new RegExp(`"_tag":"Exit","requestId":"${id}"`)
    for (;;) {
      const answer = this.answers.shift()
      if (answer !== undefined) {
        heard.push(answer)
        if (probe.test(answer)) return heard
      } else if (this.socket.readyState === NodeWS.WebSocket.CLOSED) return heard
      else await this.next()
    }
  }
}

/** A connection collects streams that go on; it is replaced after so many cases. */
const casesOfConnection = 20

const socketTarget = (options: {
  readonly name: string
  readonly what: string
  readonly path: string
  readonly requests: (names: Names) => Requests
  /** Of callers who may do nothing, and of those who may. */
  readonly tokens: (watched: Coordinator.Watched) => {
    readonly bad: ReadonlyArray<string>
    readonly good: ReadonlyArray<string>
  }
  readonly probe: (watched: Coordinator.Watched, id: string) => unknown
}): Target => ({
  name: options.name,
  what: options.what,
  weight: 22,
  checkEvery: 20,
  open: Effect.map(Coordinator.open, (watched) => {
    const { bad, good } = options.tokens(watched)
    const inputWith = (names: Names, tokens: ReadonlyArray<string>) =>
      frames(
        options.requests(names),
        tokens.map((token) => (token === "" ? "" : `Bearer ${token}`))
      )
    const inputs = { strangers: inputWith(Coordinator.stranger, bad), known: inputWith(known, good) }
    const url = `${watched.coordinator.url.replace("http", "ws")}${options.path}`
    let connection: Connection | undefined
    let probeId = ""
    let checks = 0

    const connected = async (): Promise<Connection> => {
      if (connection === undefined || !connection.isOpen || connection.cases >= casesOfConnection) {
        connection?.socket.terminate()
        connection = new Connection(url)
        await connection.opened()
      }
      return connection
    }
    const ask = async (): Promise<ReadonlyArray<string>> => {
      const on = await connected()
      // Ends what the last frame may have left without an end.
      if (on.isOpen) on.socket.send("\n")
      if (on.isOpen) on.socket.send(`${text(options.probe(watched, probeId))}\n`)
      return on.until(probeId)
    }

    return {
      run: async (seed) => {
        const sent = sample(seed % 2 === 0 ? inputs.strangers : inputs.known, seed)
        const on = await connected()
        on.cases++
        for (const [place, frame] of sent.entries()) {
          if (on.isOpen) on.socket.send(frame, { binary: (seed + place) % 3 === 0 })
        }
        probeId = String(1_000_000_000 + (seed % 1_000_000_000))
        const isAnswered = (answer: string) => answer.includes(`"requestId":"${probeId}"`)
        let heard = await ask()
        // It may have closed the connection on us, but not for others.
        if (!heard.some(isAnswered)) heard = [...heard, ...(await ask())]
        if (!heard.some(isAnswered)) violated("no answer to a good request afterwards", heard.join("\n"))
        assertNoBug(heard.join("\n"))
      },
      check: async () => {
        watched.assertAlive()
        await watched.assertNoStranger()
        if (++checks % 100 === 0) await watched.assertWhole()
      },
      memory: watched.memory
    }
  })
})

const bearer = (token: string) => [["authorization", `Bearer ${token}`]]

export const clients: Target = socketTarget({
  name: "rpc",
  what: "frames to /rpc, with an admin's token, with a manager's, with none",
  path: "/rpc",
  requests: clientRequests,
  tokens: ({ system }) => ({
    bad: ["", "mst_admin_wrong-wrong-wrong-wrong", system.enrolmentToken],
    good: [system.adminToken]
  }),
  probe: ({ system }, id) => ({
    _tag: "Request",
    id,
    tag: "GetServerInfo",
    payload: null,
    headers: bearer(system.adminToken)
  })
})

export const managers: Target = socketTarget({
  name: "managers",
  what: "frames to /ws/managers, with a manager's token and with none",
  path: "/ws/managers",
  requests: managerRequests,
  tokens: ({ system }) => ({ bad: ["", "mst_enrolment_wrong-wrong-wrong"], good: [system.enrolmentToken] }),
  // A session that does not exist: the actor says so.
  probe: ({ system }, id) => ({
    _tag: "Request",
    id,
    tag: "Ready",
    payload: { managerId: "1m7xsjws9y0zph5b", epoch: 1 },
    headers: bearer(system.enrolmentToken)
  })
})
