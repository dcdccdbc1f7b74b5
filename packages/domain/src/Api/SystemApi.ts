import { Schema } from "effect"
import { HttpApiEndpoint, HttpApiGroup, HttpApiSchema, OpenApi } from "effect/http-api"
import { InputErrors } from "./Authorization.ts"
import * as Command from "./Command.ts"
import * as Problem from "./Problem.ts"

export const Alive = Schema.Struct({ status: Schema.Literal("ok") }).annotate({ identifier: "Alive" })

export const Ready = Schema.Struct({
  status: Schema.Literal("ready"),
  parts: Schema.Record(Schema.String, Problem.PartStatus)
}).annotate({
  identifier: "Ready",
  examples: [
    { status: "ready", parts: { database: { ok: true, message: null }, cluster: { ok: true, message: null } } }
  ]
})

/** Prometheus' own type for its text format: scrapers look at the version. */
export const metricsContentType = "text/plain; version=0.0.4; charset=utf-8"

export class SystemApi extends HttpApiGroup.make("system")
  .add(
    HttpApiEndpoint.get("health", "/healthz", { success: Alive }).annotateMerge(
      Command.describe("Is the process alive?", "Asks nobody else, so that a lost database does not get it restarted.")
    ),
    HttpApiEndpoint.get("ready", "/readyz", { success: Ready, error: Problem.NotReadyProblem }).annotateMerge(
      Command.describe("Can it serve?", "Each part with its state: database, cluster, projections.")
    ),
    HttpApiEndpoint.get("metrics", "/metrics", {
      success: Schema.String.pipe(HttpApiSchema.asText({ contentType: metricsContentType })),
      error: [Problem.UnauthorizedProblem, Problem.UnavailableProblem]
    }).annotateMerge(
      Command.describe("Metrics", "In Prometheus' text format. From other machines with an admin token only.")
    )
  )
  .middleware(InputErrors)
  .annotateMerge(OpenApi.annotations({ title: "System", description: "The state of this coordinator." })) {}
