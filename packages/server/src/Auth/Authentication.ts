/**
 * Lets callers in: the middleware of the RPC groups and of the HTTP interface.
 */
import { Effect, Layer, Redacted } from "effect"
import { Authorization } from "@muster/domain/Api/Authorization"
import { Unauthorized } from "@muster/domain/Errors"
import { AdminOnly, CurrentActor, ManagersOnly } from "@muster/domain/Rpc/Authentication"
import type { Role } from "@muster/domain/Rpc/Authentication"
import * as InFlight from "../Limits/InFlight.ts"
import { ManagerCertificates } from "../ManagerCertificates.ts"
import { Tokens } from "./Tokens.ts"

/** Spaces between scheme and token as RFC 9110 allows them; the scheme in any case. */
const bearer = /^bearer +(\S+) *$/i

const noToken = new Unauthorized({ reason: "a token is needed, as `Authorization: Bearer mst_…`" })
const adminNeeded = new Unauthorized({ reason: "this needs an admin token; an enrolment token only lets managers in" })

/** The secret in an `authorization` header. */
export const secretOf = (header: string | undefined): Redacted.Redacted | undefined => {
  const secret = header === undefined ? undefined : bearer.exec(header)?.[1]
  return secret === undefined ? undefined : Redacted.make(secret)
}

const mayDo = (role: Role, required: Role): boolean => role === "admin" || role === required

/** Who sends this header, if they may act in the role. */
export const authenticate = (tokens: Tokens["Service"], header: string | undefined, required: Role) => {
  const secret = secretOf(header)
  return secret === undefined
    ? Effect.fail(noToken)
    : Effect.flatMap(tokens.verify(secret), (actor) =>
        mayDo(actor.role, required) ? Effect.succeed(actor) : Effect.fail(adminNeeded)
      )
}

/** For clients' RPCs. */
export const layerAdminOnly: Layer.Layer<AdminOnly, never, Tokens> = Layer.effect(
  AdminOnly,
  Effect.gen(function* () {
    const tokens = yield* Tokens
    const within = yield* InFlight.perSocket
    return AdminOnly.of((effect, { client, headers }) =>
      within(
        client,
        Effect.flatMap(authenticate(tokens, headers["authorization"], "admin"), (actor) =>
          Effect.provideService(effect, CurrentActor, actor)
        )
      )
    )
  })
)

/** For managers' RPCs: the token, and where it is asked for the certificate too. */
export const layerManagersOnly: Layer.Layer<ManagersOnly, never, Tokens | ManagerCertificates> = Layer.effect(
  ManagersOnly,
  Effect.gen(function* () {
    const tokens = yield* Tokens
    const certificates = yield* ManagerCertificates
    const within = yield* InFlight.perSocket
    return ManagersOnly.of((effect, { client, headers, payload }) =>
      within(
        client,
        Effect.flatMap(authenticate(tokens, headers["authorization"], "enrolment"), (actor) =>
          Effect.andThen(certificates.check(headers, payload), Effect.provideService(effect, CurrentActor, actor))
        )
      )
    )
  })
)

/** For HTTP. */
export const layerHttp: Layer.Layer<Authorization, never, Tokens> = Layer.effect(
  Authorization,
  Effect.map(Tokens, (tokens) =>
    Authorization.of({
      bearer: (effect, { credential }) => {
        const secret = Redacted.value(credential)
        return Effect.flatMap(authenticate(tokens, secret === "" ? undefined : `Bearer ${secret}`, "admin"), (actor) =>
          Effect.provideService(effect, CurrentActor, actor)
        )
      }
    })
  )
)
