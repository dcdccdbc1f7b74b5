/**
 * The HTTP interface as a value: the server implements it, clients and the documentation are derived from it.
 */
import { HttpApi, OpenApi } from "effect/http-api"
import { ClusterApi } from "./ClusterApi.ts"
import { DoctorApi } from "./DoctorApi.ts"
import { EventsApi } from "./EventsApi.ts"
import * as InputProblem from "./InputProblem.ts"
import { ManagersApi } from "./ManagersApi.ts"
import { SuitesApi } from "./SuitesApi.ts"
import { SystemApi } from "./SystemApi.ts"
import { TasksApi } from "./TasksApi.ts"
import { WorkersApi } from "./WorkersApi.ts"

export class Api extends HttpApi.make("muster")
  .add(SuitesApi)
  .add(TasksApi)
  .add(ManagersApi)
  .add(WorkersApi)
  .add(EventsApi)
  .add(ClusterApi)
  .add(DoctorApi)
  .add(SystemApi)
  .annotate(HttpApi.PayloadParseOptions, InputProblem.parseOptions)
  .annotate(HttpApi.QueryParseOptions, InputProblem.parseOptions)
  .annotate(HttpApi.ParamsParseOptions, { reportInput: true })
  .annotate(HttpApi.HeadersParseOptions, { reportInput: true })
  .annotateMerge(
    OpenApi.annotations({
      title: "Muster",
      version: "1",
      description:
        'Runs suites of tasks on your own machines. Times are ISO 8601 in UTC. Every error is `{"error": {"code", "message", "details", "request_id"}}`, and every answer carries `x-request-id`.',
      license: { name: "MIT", identifier: "MIT" }
    })
  ) {}
