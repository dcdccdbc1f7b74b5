/**
 * Which methods a path takes, so that a wrong method is told from a wrong path.
 */
import type { HttpRouter } from "effect/http"
import { HttpApi } from "effect/http-api"
import { Api } from "@muster/domain/Api/Api"

/** Paths beside those of the contract. */
const others: ReadonlyArray<readonly [method: string, path: HttpRouter.PathInput]> = [
  ["GET", "/docs"],
  ["GET", "/openapi.json"]
]

interface KnownPath {
  readonly method: string
  readonly pattern: RegExp
}

const toPattern = (path: string): RegExp =>
  new RegExp(`^${path.replaceAll(".", "\\.").replaceAll(/:\w+/g, "[^/]+")}/?$`)

const known: ReadonlyArray<KnownPath> = (() => {
  const found: Array<KnownPath> = others.map(([method, path]) => ({ method, pattern: toPattern(path) }))
  HttpApi.reflect(Api, {
    onGroup: () => undefined,
    onEndpoint: ({ endpoint }) => {
      found.push({ method: endpoint.method, pattern: toPattern(endpoint.path) })
    }
  })
  return found
})()

/** Methods that a path takes, none if there is no such path. */
export const methodsOf = (path: string): ReadonlyArray<string> => [
  ...new Set(
    known
      .filter(({ pattern }) => pattern.test(path))
      .flatMap(({ method }) => (method === "GET" ? ["GET", "HEAD"] : [method]))
  )
]
