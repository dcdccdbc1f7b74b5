/**
 * Who may use the HTTP interface: whoever shows an admin token as `Authorization: Bearer mst_…`.
 */
import { HttpApiMiddleware, HttpApiSecurity, OpenApi } from "effect/http-api"
import type { CurrentActor } from "../Rpc/Authentication.ts"
import * as Problem from "./Problem.ts"

const bearer = HttpApiSecurity.bearer.pipe(
  HttpApiSecurity.annotate(
    OpenApi.Description,
    "An admin token: the one that was made at first start, or one of `muster token create`."
  )
)

export class Authorization extends HttpApiMiddleware.Service<Authorization, { provides: CurrentActor }>()(
  "@muster/domain/Api/Authorization",
  {
    requiredForClient: true,
    security: { bearer },
    error: [Problem.UnauthorizedProblem, Problem.UnavailableProblem]
  }
) {}

/** Turns what a schema refused into `InvalidInput`. */
export class InputErrors extends HttpApiMiddleware.Service<InputErrors>()("@muster/domain/Api/InputErrors", {
  error: Problem.InvalidInputProblem
}) {}
