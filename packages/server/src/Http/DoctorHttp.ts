import { Effect } from "effect"
import { HttpApiBuilder } from "effect/http-api"
import { Api } from "@muster/domain/Api/Api"
import { Doctor } from "../Doctor.ts"

export const layer = HttpApiBuilder.group(
  Api,
  "doctor",
  Effect.fn(function* (handlers) {
    const doctor = yield* Doctor
    return handlers.handle("examine", ({ query: { database, full } }) =>
      doctor.examine({ full: full === "true", database: database !== "false" })
    )
  })
)
