import { assert, layer } from "@effect/vitest"
import { Effect, Predicate, Redacted } from "effect"
import { request as httpRequest } from "node:http"
import { defaults } from "../../src/Limits/Limits.ts"
import { send } from "./TestClient.ts"
import type { Answer, Request } from "./TestClient.ts"
import { newSuiteId } from "./TestIds.ts"
import * as TestServer from "./TestServer.ts"

interface Problem {
  readonly code: unknown
  readonly message: string
  readonly details: Readonly<Record<string, unknown>>
  readonly request_id: unknown
}

/** The error in a body, which must be of the one shape. */
const problemOf = (answer: Answer): Problem => {
  const { json } = answer
  assert.isTrue(Predicate.hasProperty(json, "error"), answer.text)
  assert.deepStrictEqual(Object.keys(json as object), ["error"])
  const { error } = json as { readonly error: Problem }
  assert.deepStrictEqual(Object.keys(error), ["code", "message", "details", "request_id"])
  assert.strictEqual(error.request_id, answer.headers.get("x-request-id"))
  return error
}

const suite = newSuiteId()
const tasks = `/v1/suites/${suite}/tasks`

/** Requests that a schema refuses, and what the error says of them. */
const refused: ReadonlyArray<
  readonly [what: string, path: string, request: Request, field: string, value: string, expected: RegExp]
> = [
  ["an empty program", tasks, { body: [{ program: "" }] }, "[0].program", '""', /length of at least 1/],
  [
    "a negative timeout",
    tasks,
    { body: [{ program: "a" }, { program: "a", timeout: -1 }] },
    "[1].timeout",
    "-1",
    /1ms/
  ],
  ["a timeout that is none", tasks, { body: [{ program: "a", timeout: "soon" }] }, "[0].timeout", '"soon"', /90s/],
  ["no tasks", tasks, { body: [] }, "", "[]", /length of at least 1/],
  ["a task that is no object", tasks, { body: ["ls"] }, "[0]", '"ls"', /object/],
  ["a misspelt field", tasks, { body: [{ program: "a", agrs: [] }] }, "[0].agrs", "[]", /no such field.*args/],
  ["a task without a program", tasks, { body: [{}] }, "[0].program", "missing", /required/],
  ["an argument with NUL", tasks, { body: [{ program: "a", args: ["\0"] }] }, "[0].args[0]", '"\\u0000"', /NUL/],
  ["an object for a list", tasks, { body: {} }, "", "{}", /array/],
  ["no body", tasks, { method: "POST" }, "", "missing", /array/],
  ["too few workers", "/v1/suites", { body: { workers: 0 } }, "workers", "0", /1 and 256/],
  ["too many workers", "/v1/suites", { body: { workers: 257 } }, "workers", "257", /1 and 256/],
  ["an unknown field", "/v1/suites", { body: { nmae: "x" } }, "nmae", '"x"', /no such field.*name/],
  ["an id that is none", "/v1/suites", { body: { id: "x" } }, "id", '"x"', /16 characters/],
  ["a suite id that is none", "/v1/suites/nope", {}, "id", '"nope"', /16 characters/],
  ["a task id that is none", `/v1/tasks/${suite}`, {}, "id", `"${suite}"`, /<suite id>.<index>/],
  ["a manager id that is none", "/v1/managers/nope", {}, "id", '"nope"', /manager id/],
  ["a cancel mode that is none", `/v1/suites/${suite}/cancel`, { body: { mode: "now" } }, "mode", '"now"', /graceful/],
  ["a limit of 0", "/v1/suites?limit=0", {}, "limit", "0", /1 and 100/],
  ["a limit over 100", "/v1/suites?limit=101", {}, "limit", "101", /1 and 100/],
  ["a limit that is no number", "/v1/suites?limit=ten", {}, "limit", '"ten"', /./],
  ["a state that is none", "/v1/suites?state=opne", {}, "state[0]", '"opne"', /open/],
  ["one state of several", "/v1/suites?state=open,opne", {}, "state[1]", '"opne"', /open/],
  ["an unknown parameter", "/v1/suites?stat=open", {}, "stat", '"open"', /no such field.*state/],
  ["a cursor that is none", "/v1/suites?cursor=abc", {}, "cursor", '"abc"', /nextCursor/],
  ["a stream that is none", "/v1/events?stream=foo", {}, "stream", '"foo"', /suite-<id>/],
  ["an output that is none", `/v1/tasks/${suite}.0/logs/stdlog`, {}, "stream", '"stdlog"', /stdout/],
  ["a negative offset", `/v1/tasks/${suite}.0/logs/stdout?offset=-1`, {}, "offset", "-1", /greater than or equal to 0/],
  [
    "an empty key",
    "/v1/suites",
    { body: {}, headers: { "idempotency-key": "k".repeat(129) } },
    "idempotency-key",
    JSON.stringify("k".repeat(129)),
    /at most 128/
  ]
]

/** Sends a body piece by piece without telling its size, until the server answers. */
const sendChunked = (url: string, path: string, token: string) =>
  Effect.callback<{ readonly status: number; readonly text: string; readonly sent: number }>((resume) => {
    const chunk = Buffer.alloc(256 * 1024, " ")
    let sent = 0
    let isAnswered = false
    const request = httpRequest(`${url}${path}`, {
      method: "POST",
      headers: { authorization: `Bearer ${token}`, "content-type": "application/json" }
    })
    // The server hangs up on what is still being sent.
    request.on("error", () => undefined)
    request.on("response", (response) => {
      isAnswered = true
      let text = ""
      response.on("data", (data: Buffer) => {
        text += data.toString()
      })
      response.on("end", () => {
        request.destroy()
        resume(Effect.succeed({ status: response.statusCode ?? 0, text, sent }))
      })
    })
    const push = () => {
      if (isAnswered || request.destroyed || sent > 8 * defaults.body) return
      sent += chunk.length
      request.write(chunk, () => setImmediate(push))
    }
    push()
  })

layer(TestServer.layer, { excludeTestServices: true, timeout: "30 seconds" })("errors over HTTP", (it) => {
  for (const [what, path, request, field, value, expected] of refused) {
    it.effect(`name field, value and what is allowed: ${what}`, () =>
      Effect.gen(function* () {
        const answer = yield* send(path, request)
        assert.strictEqual(answer.status, 400, answer.text)
        const { code, details, message } = problemOf(answer)
        assert.strictEqual(code, "InvalidInput")
        assert.strictEqual(details["field"], field)
        assert.strictEqual(details["value"], value)
        assert.match(String(details["expected"]), expected)
        assert.include(message, String(details["expected"]))
      })
    )
  }

  it.effect("name line and column of what is no JSON", () =>
    Effect.gen(function* () {
      const answer = yield* send("/v1/suites", { body: '{"name": "x",\n  "tags": [a]}' })
      assert.strictEqual(answer.status, 400)
      const { code, message } = problemOf(answer)
      assert.strictEqual(code, "InvalidInput")
      assert.strictEqual(message, 'the input is "a]}" at line 2, column 12; allowed: JSON')
    })
  )

  it.effect("say that there is no such suite, task or manager", () =>
    Effect.gen(function* () {
      for (const [path, code] of [
        [`/v1/suites/${suite}`, "SuiteNotFound"],
        [tasks, "SuiteNotFound"],
        [`/v1/tasks/${suite}.7`, "TaskNotFound"],
        [`/v1/tasks/${suite}.9999999999`, "TaskNotFound"],
        [`/v1/tasks/${suite}.7/logs/stdout`, "TaskNotFound"],
        ["/v1/managers/0000000000000000", "ManagerNotFound"]
      ] as const) {
        const answer = yield* send(path)
        assert.strictEqual(answer.status, 404, path)
        assert.strictEqual(problemOf(answer).code, code)
      }
      for (const action of ["close", "pause", "resume", "cancel", "retry"]) {
        const answer = yield* send(`/v1/suites/${suite}/${action}`, { method: "POST" })
        assert.strictEqual(answer.status, 404, `${action}: ${answer.text}`)
        assert.strictEqual(problemOf(answer).details["suiteId"], suite)
      }
      for (const action of ["drain", "shutdown"]) {
        const answer = yield* send(`/v1/managers/0000000000000000/${action}`, { method: "POST" })
        assert.strictEqual(answer.status, 404, action)
        assert.strictEqual(problemOf(answer).code, "ManagerNotFound")
      }
    })
  )

  it.effect("say that there is no such path, whatever it looks like", () =>
    Effect.gen(function* () {
      for (const path of [
        "/",
        "/v1",
        "/v1/suits",
        "/v2/suites",
        "/v1/suites/a/b/c",
        `/${"x".repeat(4000)}`,
        "/%zz",
        "/v1/%"
      ]) {
        const answer = yield* send(path)
        assert.strictEqual(answer.status, 404, `${path.slice(0, 20)}: ${answer.text}`)
        assert.strictEqual(problemOf(answer).code, "NotFound")
      }
    })
  )

  it.effect("say which methods a path takes", () =>
    Effect.gen(function* () {
      for (const [method, path, allowed] of [
        ["DELETE", "/v1/suites", "POST, GET, HEAD"],
        ["PUT", `/v1/suites/${suite}`, "GET, HEAD"],
        ["GET", `/v1/suites/${suite}/close`, "POST"],
        ["POST", "/healthz", "GET, HEAD"],
        ["POST", "/docs", "GET, HEAD"]
      ] as const) {
        const answer = yield* send(path, { method })
        assert.strictEqual(answer.status, 405, path)
        assert.strictEqual(problemOf(answer).code, "MethodNotAllowed")
        assert.strictEqual(answer.headers.get("allow"), allowed)
      }
    })
  )

  it.effect("ask for JSON", () =>
    Effect.gen(function* () {
      const answer = yield* send("/v1/suites", {
        body: "name=x",
        headers: { "content-type": "application/x-www-form-urlencoded" }
      })
      assert.strictEqual(answer.status, 415)
      assert.deepInclude(problemOf(answer).details, { contentType: "application/x-www-form-urlencoded" })
    })
  )

  it.effect("refuse a body whose declared size is over the limit without reading it", () =>
    Effect.gen(function* () {
      const answer = yield* send("/v1/suites", { body: `"${"x".repeat(defaults.body)}"` })
      assert.strictEqual(answer.status, 413)
      const { code, details } = problemOf(answer)
      assert.strictEqual(code, "TooLarge")
      assert.deepStrictEqual(details, { what: "the body", size: defaults.body + 2, limit: defaults.body })
    })
  )

  it.effect("stop reading a body of unknown size at the limit", () =>
    Effect.gen(function* () {
      const { admin, url } = yield* TestServer.TestServer
      const answer = yield* sendChunked(url, "/v1/suites", Redacted.value(admin))
      assert.strictEqual(answer.status, 413)
      assert.include(answer.text, '"code":"TooLarge"')
      assert.isBelow(answer.sent, 4 * defaults.body)
    })
  )

  it.effect("survive a body that is nested beyond all measure", () =>
    Effect.gen(function* () {
      const deep = `[{"handler": "h", "input": ${"[".repeat(200_000)}${"]".repeat(200_000)}}]`
      const answer = yield* send(tasks, { body: deep })
      assert.strictEqual(answer.status, 400, answer.text)
      problemOf(answer)
      assert.strictEqual((yield* send("/healthz")).status, 200)
    })
  )

  it.effect("refuse who has no token, a wrong one, or one for managers only", () =>
    Effect.gen(function* () {
      const { enrolment } = yield* TestServer.TestServer
      for (const [token, reason] of [
        [null, /a token is needed/],
        ["mst_admin_wrong", /not known/],
        [Redacted.value(enrolment), /admin token/]
      ] as const) {
        for (const [path, request] of [
          ["/v1/suites", {}],
          ["/v1/suites", { body: "{" }],
          [tasks, { body: [] }],
          ["/v1/tasks/x", {}],
          ["/v1/managers", {}],
          ["/v1/workers", {}],
          ["/v1/events", {}]
        ] as const) {
          const answer = yield* send(path, { ...request, token })
          assert.strictEqual(answer.status, 401, path)
          assert.strictEqual(answer.headers.get("www-authenticate"), "Bearer")
          const { code, message } = problemOf(answer)
          assert.strictEqual(code, "Unauthorized")
          assert.match(message, reason)
          if (token !== null) assert.notInclude(answer.text, token)
        }
      }
    })
  )

  it.effect("carry the caller's request id if it is fit to be repeated", () =>
    Effect.gen(function* () {
      const given = yield* send("/v1/nope", { headers: { "x-request-id": "job-17:a" } })
      assert.strictEqual(problemOf(given).request_id, "job-17:a")
      const unfit = yield* send("/v1/nope", { headers: { "x-request-id": "a b" } })
      assert.match(String(problemOf(unfit).request_id), /^[0-9a-f-]{36}$/)
      const fine = yield* send("/healthz", { headers: { "x-request-id": "job-18" } })
      assert.strictEqual(fine.headers.get("x-request-id"), "job-18")
    })
  )
})
