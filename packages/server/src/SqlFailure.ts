/**
 * What went wrong in the database, as far as anybody above the store has to know it.
 */
import { Predicate } from "effect"
import type { SqlError } from "effect/sql/SqlError"
import { EventStoreError } from "./EventStore.ts"

/** The server's five-character error code, if it was the server that refused. */
export const sqlState = (error: SqlError): string | undefined => {
  const cause = error.reason.cause
  return Predicate.hasProperty(cause, "code") && Predicate.isString(cause.code) ? cause.code : undefined
}

/**
 * Codes that pass by themselves and that the driver does not know as such: resources used up (class 53), the server is
 * stopping or starting (57P0x), a transaction that idled too long (25P03), a standby that is being promoted (25006).
 */
const passing = /^(?:53...|57P0.|25P03|25006)$/

/** Whether the same statement may succeed later. */
export const isRetryable = (error: SqlError): boolean => {
  const state = sqlState(error)
  return error.reason.isRetryable || (state !== undefined && passing.test(state))
}

/** The name of the unique constraint or index that was violated. */
export const violatedUnique = (error: SqlError): string | undefined =>
  error.reason._tag === "UniqueViolation" ? error.reason.constraint : undefined

/** What a caller of the store has to know of it. */
export const toStoreError =
  (operation: string) =>
  (error: SqlError): EventStoreError =>
    new EventStoreError({ operation, cause: error, retryable: isRetryable(error) })
