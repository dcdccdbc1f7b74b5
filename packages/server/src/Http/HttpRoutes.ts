/**
 * All routes of the HTTP interface as one layer: the contract, its description, its documentation. `Server.ts` puts it on
 * the same port as the sockets of RPC.
 */
import { Layer } from "effect"
import { HttpApiBuilder, HttpApiScalar } from "effect/http-api"
import { Api } from "@muster/domain/Api/Api"
import * as Authentication from "../Auth/Authentication.ts"
import * as ClusterHttp from "./ClusterHttp.ts"
import * as DoctorHttp from "./DoctorHttp.ts"
import * as EventsHttp from "./EventsHttp.ts"
import * as InputErrorsLive from "./InputErrorsLive.ts"
import * as ManagersHttp from "./ManagersHttp.ts"
import * as RequestContext from "./RequestContext.ts"
import * as SuitesHttp from "./SuitesHttp.ts"
import * as SystemHttp from "./SystemHttp.ts"
import * as TasksHttp from "./TasksHttp.ts"
import * as WorkersHttp from "./WorkersHttp.ts"

const ApiRoutes = HttpApiBuilder.layer(Api, { openapiPath: "/openapi.json" }).pipe(
  Layer.provide([
    SuitesHttp.layer,
    TasksHttp.layer,
    ManagersHttp.layer,
    WorkersHttp.layer,
    EventsHttp.layer,
    ClusterHttp.layer,
    DoctorHttp.layer,
    SystemHttp.layer
  ]),
  Layer.provide([Authentication.layerHttp, InputErrorsLive.layer])
)

/** The page carries its script and asks no other server for fonts: it works without the internet. */
const Documentation = HttpApiScalar.layer(Api, { path: "/docs", scalar: { withDefaultFonts: false } })

export const HttpRoutes = Layer.mergeAll(ApiRoutes, Documentation, RequestContext.layer)
