/**
 * Makes parameters fit for Postgres' `text` and `jsonb`, which hold neither NUL nor lone surrogates. What people enter is
 * checked at the edge, but what programs and handlers put out may be anything, and one such character must not keep the
 * whole batch of results from being stored.
 */
import { PgTypes } from "@effect/sql-pg"
import * as Text from "@muster/domain/Text"
import type { SqlError } from "effect/sql/SqlError"
import * as SqlFailure from "./SqlFailure.ts"

const isPlainObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null && Object.getPrototypeOf(value) === Object.prototype

/** The same value with U+FFFD in place of what cannot be stored. */
export const carriable = (value: unknown): unknown => {
  if (typeof value === "string") return Text.toCarriable(value)
  if (Array.isArray(value)) return value.map(carriable)
  if (PgTypes.isParameter(value)) return { ...value, value: carriable(value.value) }
  if (!isPlainObject(value)) return value
  return Object.fromEntries(Object.entries(value).map(([key, held]) => [Text.toCarriable(key), carriable(held)]))
}

/** Character not in repertoire, untranslatable character, invalid text representation (also of JSON). */
const refusals = new Set(["22021", "22P05", "22P02"])

/** Whether the server may have refused a statement for such a character. */
export const wasRefused = (error: SqlError): boolean => refusals.has(SqlFailure.sqlState(error) ?? "")
