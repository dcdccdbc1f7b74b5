import { Schema } from "effect"
import { HttpApiEndpoint, HttpApiGroup, OpenApi } from "effect/http-api"
import { Report } from "../Doctor/Finding.ts"
import { Authorization, InputErrors } from "./Authorization.ts"
import * as Command from "./Command.ts"
import * as Problem from "./Problem.ts"

const Flag = Schema.Literals(["true", "false"])

export class DoctorApi extends HttpApiGroup.make("doctor")
  .add(
    HttpApiEndpoint.get("examine", "/v1/doctor", {
      query: {
        full: Schema.optionalKey(
          Flag.annotate({ description: "Compare read models with all events instead of a sample (default `false`)." })
        ),
        database: Schema.optionalKey(
          Flag.annotate({ description: "`false` leaves out the database, for a caller that asks it itself." })
        )
      },
      success: Report.annotate({ identifier: "DoctorReport" }),
      error: Problem.UnavailableProblem
    }).annotateMerge(
      Command.describe(
        "Examine the cluster",
        "Findings about the coordinators, their clocks and disks, and the database."
      )
    )
  )
  .middleware(InputErrors)
  .middleware(Authorization)
  .annotateMerge(OpenApi.annotations({ title: "Doctor", description: "What is wrong, and what to do about it." })) {}
