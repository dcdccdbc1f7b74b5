/**
 * The HTTP interface of a real coordinator: every route, with bad paths, queries, headers and bodies, and bytes that are
 * no HTTP at all.
 */
import { Agent, request } from "node:http"
import { connect } from "node:net"
import { Effect } from "effect"
import { HttpApi } from "effect/http-api"
import * as fc from "fast-check"
import { Api } from "@muster/domain/Api/Api"
import * as Coordinator from "../Coordinator.ts"
import { changed, damaged, nastyText, nastyValue, noise, sample } from "../Inputs.ts"
import { assertNoBug, violated } from "../Target.ts"
import type { Target } from "../Target.ts"
import { clientRequests, known } from "./Sockets.ts"

interface Route {
  readonly method: string
  readonly path: string
}

/** All of the contract, and what stands beside it. */
const routes: ReadonlyArray<Route> = (() => {
  const found: Array<Route> = ["/docs", "/openapi.json", "/rpc", "/ws/managers", "/", "/nowhere"].map((path) => ({
    method: "GET",
    path
  }))
  HttpApi.reflect(Api, {
    onGroup: () => undefined,
    onEndpoint: ({ endpoint }) => {
      found.push({ method: endpoint.method, path: endpoint.path })
    }
  })
  return found
})()

/** A text that Node lets through as a path: what is not, is sent as bytes. */
const encoded = (text: string) => encodeURIComponent(text.toWellFormed())

const pathPart = fc.oneof(
  { weight: 3, arbitrary: fc.constantFrom("SUITE", "SUITE.0", "x", "MANAGER") },
  { weight: 2, arbitrary: nastyText.map(encoded) },
  { weight: 1, arbitrary: fc.constantFrom("%", "%zz", "%00", "..", ".", "%2e%2e", "%ff%fe", "a".repeat(3_000)) }
)

const query = fc
  .array(
    fc.tuple(
      fc.constantFrom(
        "limit",
        "cursor",
        "state",
        "label",
        "name",
        "stream",
        "type",
        "offset",
        "attempt",
        "tag",
        "interval",
        "x"
      ),
      fc.oneof(fc.constantFrom("1", "-1", "0", "open", "1e9", "10000000000000000", ""), nastyText.map(encoded))
    ),
    { maxLength: 4 }
  )
  .map((pairs) => (pairs.length === 0 ? "" : `?${pairs.map(([name, value]) => `${name}=${value}`).join("&")}`))

const bodies = [
  clientRequests(known)["CreateSuite"],
  { name: "x", tags: ["a"], defaults: { timeout: "5s" } },
  {
    tasks: [
      { program: "true", args: ["x"] },
      { handler: "h", input: { a: 1 } }
    ]
  },
  { mode: "force", reason: "x" },
  { tasks: "failed" },
  { draining: true }
]
const body = fc.oneof(
  fc.constantFrom(...bodies).chain((good) => changed(good).map((value) => Buffer.from(JSON.stringify(value) ?? ""))),
  fc.constantFrom(...bodies).chain((good) => damaged(Buffer.from(JSON.stringify(good)))),
  nastyValue.map((value) => Buffer.from(JSON.stringify(value) ?? "")),
  noise,
  fc.constant(Buffer.alloc(0))
)

const headerText = fc.string({
  unit: fc.constantFrom(...Array.from("abcXYZ019-._~/ ,;=\"'<>{}\t\u00e9")),
  maxLength: 40
})
const headers = fc.record(
  {
    "content-type": fc.oneof(
      { weight: 4, arbitrary: fc.constant("application/json") },
      {
        weight: 1,
        arbitrary: fc.constantFrom(
          "text/plain",
          "multipart/form-data",
          "application/x-www-form-urlencoded",
          "application/json; charset=utf-16"
        )
      },
      { weight: 1, arbitrary: headerText }
    ),
    "idempotency-key": headerText,
    "x-request-id": headerText,
    accept: headerText,
    "accept-encoding": headerText,
    "content-encoding": fc.constantFrom("gzip", "br", "identity", "x"),
    range: fc.constantFrom("bytes=0-1", "bytes=-", "x"),
    traceparent: headerText,
    b3: headerText,
    "x-forwarded-for": headerText,
    "last-event-id": headerText,
    cookie: headerText,
    "transfer-encoding": fc.constant("chunked"),
    expect: fc.constantFrom("100-continue")
  },
  { requiredKeys: [] }
)

const call = fc.record({
  route: fc.constantFrom(...routes),
  parts: fc.array(pathPart, { minLength: 3, maxLength: 3 }),
  query,
  headers,
  body,
  method: fc.oneof(
    { weight: 8, arbitrary: fc.constant(undefined) },
    { weight: 1, arbitrary: fc.constantFrom("GET", "PUT", "PATCH", "DELETE", "OPTIONS", "HEAD", "POST", "TRACE") }
  )
})

const goodHead = Buffer.from(
  `POST /v1/suites HTTP/1.1\r\nhost: x\r\nauthorization: Bearer x\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}`
)
const upgrade = Buffer.from(
  "GET /rpc HTTP/1.1\r\nhost: x\r\nconnection: Upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n\x81\x85aaaabbbb"
)
const rawBytes = fc.oneof(damaged(goodHead), damaged(upgrade), noise)

/** Longest part of an answer that is looked at, in characters; and how long streams are listened to, in milliseconds. */
const enough = 20_000
const listenFor = 30

interface Answer {
  readonly status: number
  readonly type: string
  readonly text: string
}

export const http: Target = {
  name: "http",
  what: "all routes over HTTP: paths, queries, headers, bodies, and bytes that are no HTTP",
  weight: 22,
  checkEvery: 20,
  open: Effect.map(Coordinator.open, (watched) => {
    const { port } = watched.coordinator
    const agent = new Agent({ keepAlive: true, maxSockets: 4 })

    const send = (input: ReturnType<typeof sampleCall>, names: typeof known, token: string) =>
      new Promise<Answer | undefined>((resolve) => {
        let part = 0
        const path = input.route.path
          .replaceAll(/:\w+/g, () => input.parts[part++ % input.parts.length] ?? "x")
          .replaceAll("SUITE", names.suiteId)
          .replaceAll("MANAGER", names.managerId)
        const method = input.method ?? input.route.method
        const sent = request(
          {
            host: "127.0.0.1",
            port,
            agent,
            method,
            path: `${path}${input.query}`,
            headers: { ...input.headers, ...(token === "" ? {} : { authorization: `Bearer ${token}` }) }
          },
          (response) => {
            let text = ""
            let timer: NodeJS.Timeout | undefined
            const { statusCode = 0 } = response
            const type = response.headers["content-type"] ?? ""
            const done = () => {
              clearTimeout(timer)
              resolve({ status: statusCode, type, text })
            }
            response.on("data", (data: Buffer) => {
              if (text.length < enough) text += data.toString()
            })
            response.on("end", done)
            response.on("error", done)
            response.on("close", done)
            if (/stream|ndjson|jsonl/.test(type)) timer = setTimeout(() => response.destroy(), listenFor)
          }
        )
        // It may be cut off before it has sent all of a body that nobody wants.
        sent.on("error", () => resolve(undefined))
        sent.end(method === "GET" || method === "HEAD" ? undefined : input.body)
      })

    const sendRaw = (bytes: Buffer) =>
      new Promise<string>((resolve) => {
        const socket = connect({ host: "127.0.0.1", port })
        let text = ""
        socket.on("data", (data) => {
          text += data.toString("latin1")
        })
        socket.on("error", () => undefined)
        socket.on("close", () => resolve(text))
        socket.write(bytes)
        // Whether it waits for more or not, there is no more.
        socket.end()
        socket.setTimeout(5_000, () => socket.destroy())
      })

    const judge = (answer: Answer | undefined) => {
      if (answer === undefined) return
      const { status, text, type } = answer
      assertNoBug(type.includes("html") || type.includes("openapi") ? "" : text)
      if (status >= 500 && status !== 501) violated("the coordinator's own error", text)
      if (status >= 400 && type.includes("json") && text !== "") {
        const { error } = JSON.parse(text) as {
          readonly error?: { readonly code?: unknown; readonly message?: unknown }
        } // as documented
        if (typeof error?.code !== "string" || typeof error.message !== "string")
          violated("an error of another shape", text)
      }
    }

    return {
      run: async (seed) => {
        if (seed % 5 === 0) assertNoBug(await sendRaw(sample(rawBytes, seed)))
        else {
          const { adminToken, enrolmentToken } = watched.system
          const token = seed % 2 === 0 ? (seed % 4 === 0 ? enrolmentToken : "") : adminToken
          judge(await send(sampleCall(seed), token === adminToken ? known : Coordinator.stranger, token))
        }
      },
      check: async () => {
        watched.assertAlive()
        await watched.assertNoStranger()
      },
      memory: watched.memory
    }
  })
}

const sampleCall = (seed: number) => sample(call, seed)
