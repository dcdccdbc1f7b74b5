/**
 * Two ways to talk to the test's server: through the client that is derived from the contract, and raw.
 */
import { Effect, Layer, Redacted } from "effect"
import { FetchHttpClient, HttpClientRequest } from "effect/http"
import { HttpApiClient, HttpApiMiddleware } from "effect/http-api"
import { Api } from "@muster/domain/Api/Api"
import { Authorization } from "@muster/domain/Api/Authorization"
import { TestServer } from "./TestServer.ts"

/** The derived client with the admin's token, or with another one. */
export const client = Effect.fnUntraced(function* (secret?: string) {
  const server = yield* TestServer
  const token = secret ?? Redacted.value(server.admin)
  return yield* HttpApiClient.make(Api, { baseUrl: server.url }).pipe(
    Effect.provide(
      Layer.merge(
        FetchHttpClient.layer,
        HttpApiMiddleware.layerClient(Authorization, ({ next, request }) =>
          next(HttpClientRequest.bearerToken(request, token))
        )
      )
    )
  )
})

export interface Answer {
  readonly status: number
  readonly headers: Headers
  readonly text: string
  /** The body, if it is JSON. */
  readonly json: unknown
}

export interface Request {
  readonly method?: string
  /** JSON, unless it is text already. */
  readonly body?: unknown
  readonly headers?: Readonly<Record<string, string>>
  /** Default: the admin's. `null` sends none. */
  readonly token?: string | null
}

const parse = (text: string): unknown => {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

/** Sends a request as it is. */
export const send = Effect.fnUntraced(function* (path: string, request: Request = {}) {
  const server = yield* TestServer
  const token = request.token === undefined ? Redacted.value(server.admin) : request.token
  const { body } = request
  return yield* Effect.promise(async (): Promise<Answer> => {
    const response = await fetch(`${server.url}${path}`, {
      method: request.method ?? (body === undefined ? "GET" : "POST"),
      headers: {
        ...(token === null ? {} : { authorization: `Bearer ${token}` }),
        ...(body === undefined ? {} : { "content-type": "application/json" }),
        ...request.headers
      },
      ...(body === undefined ? {} : { body: typeof body === "string" ? body : JSON.stringify(body) })
    })
    const text = await response.text()
    return { status: response.status, headers: response.headers, text, json: parse(text) }
  })
})
