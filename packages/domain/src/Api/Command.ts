/**
 * What requests that change something have in common.
 */
import { Schema } from "effect"
import { OpenApi } from "effect/http-api"

/**
 * The client's name for what it asks: sent again with the same key, it is not done a second time and gets the first
 * answer. Without it every request is a new one.
 */
export const headers = {
  "idempotency-key": Schema.optionalKey(
    Schema.String.check(Schema.isMinLength(1), Schema.isMaxLength(128)).annotate({
      description: "Names what is asked. The same request with the same key is done once and answered the same.",
      examples: ["nightly-2026-01-31"]
    })
  )
}

/** A body that may be left out: then every field has its default. */
export const optionalBody = <Body extends Schema.Top>(body: Body) => [body, Schema.Null] as const

/** The endpoint's summary and description in the documentation. */
export const describe = (summary: string, description: string) => OpenApi.annotations({ summary, description })

/** As `describe`, for endpoints with an `optionalBody`. */
export const describeOptionalBody = (summary: string, description: string) =>
  OpenApi.annotations({
    summary,
    description,
    transform: (operation) => ({ ...operation, requestBody: { ...operation["requestBody"], required: false } })
  })
