/**
 * Mutual TLS: a manager shows a certificate that is made out to its id, besides its token. The certificate says which
 * machine may speak as which manager; the token says whether it still may, and can be revoked within a second.
 *
 * A connection is let in when its certificate is good, and known by a number of its own from then on: a header that
 * callers cannot guess, so that each call can be held against the certificate of the connection that it came on.
 */
import { randomUUID } from "node:crypto"
import type { X509Certificate } from "node:crypto"
import { TLSSocket } from "node:tls"
import { NodeHttpServerRequest } from "@effect/platform-node"
import { Context, Effect, Layer } from "effect"
import type { Scope } from "effect"
import { Headers, HttpServerRequest } from "effect/http"
import type { HttpServerResponse } from "effect/http"
import { RequestId } from "@muster/domain/Api/Problem"
import { Unauthorized } from "@muster/domain/Errors"
import * as Answer from "./Http/Answer.ts"

type Upgrade = Effect.Effect<
  HttpServerResponse.HttpServerResponse,
  never,
  Scope.Scope | HttpServerRequest.HttpServerRequest
>

export class ManagerCertificates extends Context.Service<
  ManagerCertificates,
  {
    /** Lets a connection in, or answers why it stays outside. */
    readonly admit: (upgrade: Upgrade) => Upgrade
    /** Fails when what came on a connection is said in the name of another manager than its certificate's. */
    readonly check: (headers: Headers.Headers, payload: unknown) => Effect.Effect<void, Unauthorized>
  }
>()("@muster/server/ManagerCertificates") {}

const header = "x-muster-connection"

/** Some payloads arrive here as they came out of JSON, and are checked later. */
const hasManager = (payload: unknown): payload is { readonly managerId: string } =>
  typeof payload === "object" && payload !== null && "managerId" in payload && typeof payload.managerId === "string"

/** Whether the subject (or, where there are any, one of the alternative names) is the manager's id, to the letter. */
export const isMadeOutTo = (certificate: X509Certificate, managerId: string): boolean =>
  certificate.checkHost(managerId, { subject: "default", wildcards: false, partialWildcards: false }) !== undefined

/** What the connection has shown, if an authority of ours has signed it. */
const shownBy = (request: HttpServerRequest.HttpServerRequest): X509Certificate | string => {
  const { socket } = NodeHttpServerRequest.toIncomingMessage(request)
  if (!(socket instanceof TLSSocket)) return "this coordinator takes managers only over TLS"
  const certificate = socket.getPeerX509Certificate()
  if (certificate === undefined) {
    return "this coordinator takes managers only with a certificate; none was shown (MUSTER_TLS_CERT, MUSTER_TLS_KEY)"
  }
  return socket.authorized
    ? certificate
    : `the certificate that was shown is not accepted (${String(socket.authorizationError)})`
}

const make = (): ManagerCertificates["Service"] => {
  const connections = new Map<string, X509Certificate>()
  return ManagerCertificates.of({
    admit: (upgrade) =>
      Effect.gen(function* () {
        const request = yield* HttpServerRequest.HttpServerRequest
        const certificate = shownBy(request)
        if (typeof certificate === "string") return Answer.forbidden(certificate, yield* RequestId)
        const connection = randomUUID()
        connections.set(connection, certificate)
        yield* Effect.addFinalizer(() => Effect.sync(() => connections.delete(connection)))
        return yield* Effect.provideService(
          upgrade,
          HttpServerRequest.HttpServerRequest,
          request.modify({ headers: Headers.set(request.headers, header, connection) })
        )
      }),
    check: (headers, payload) =>
      Effect.suspend(() => {
        const certificate = connections.get(headers[header] ?? "")
        const managerId = hasManager(payload) ? payload.managerId : ""
        return certificate !== undefined && isMadeOutTo(certificate, managerId)
          ? Effect.void
          : Effect.fail(
              new Unauthorized({ reason: `the certificate of this connection is not made out to manager ${managerId}` })
            )
      })
  })
}

/** Where no authority is named, certificates are not asked for. */
export const layer = (isDemanded: boolean): Layer.Layer<ManagerCertificates> =>
  Layer.sync(ManagerCertificates, () =>
    isDemanded ? make() : ManagerCertificates.of({ admit: (upgrade) => upgrade, check: () => Effect.void })
  )
