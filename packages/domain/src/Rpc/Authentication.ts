/**
 * Who is calling. The token travels in each message's `authorization` header (as `Bearer <token>`).
 */
import { Context, Schema } from "effect"
import { RpcMiddleware } from "effect/rpc"
import { Unauthorized, Unavailable } from "../Errors.ts"

/** `admin` may do everything; `enrolment` may connect a manager and act as it, nothing else. */
export const Role = Schema.Literals(["admin", "enrolment"])
export type Role = typeof Role.Type

/** The caller of a request. */
export class CurrentActor extends Context.Service<
  CurrentActor,
  {
    readonly role: Role
    /** As it stands in events: `admin`, `token:<name>`. */
    readonly name: string
  }
>()("@muster/domain/Rpc/CurrentActor") {}

/** Lets admins in. */
export class AdminOnly extends RpcMiddleware.Service<
  AdminOnly,
  { provides: CurrentActor; requires: never; clientError: never }
>()("@muster/domain/Rpc/AdminOnly", { error: Schema.Union([Unauthorized, Unavailable]), requiredForClient: true }) {}

/** Lets managers with an enrolment token in, and admins. */
export class ManagersOnly extends RpcMiddleware.Service<
  ManagersOnly,
  { provides: CurrentActor; requires: never; clientError: never }
>()("@muster/domain/Rpc/ManagersOnly", { error: Schema.Union([Unauthorized, Unavailable]), requiredForClient: true }) {}
