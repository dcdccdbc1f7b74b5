/**
 * Parameters of SQL statements whose type cannot be seen from the value: arrays (empty, with nulls, or with whole and
 * broken numbers mixed) and JSON. A statement whose parameters change their type is prepared anew, so use these wherever
 * a `null` or a large number may occur too. `null` in place of an array is SQL's null.
 */
import { PgTypes } from "@effect/sql-pg"
import { Result } from "effect"

const array = (elementOid: number) => (values: ReadonlyArray<unknown> | null) =>
  // Fails only for an element type without an array type, and each one below has one.
  Result.getOrThrow(PgTypes.array(values, elementOid))

export const texts: (values: ReadonlyArray<string | null> | null) => PgTypes.Parameter = array(PgTypes.OID.text)
export const smallints: (values: ReadonlyArray<number | null> | null) => PgTypes.Parameter = array(PgTypes.OID.int2)
export const ints: (values: ReadonlyArray<number | null> | null) => PgTypes.Parameter = array(PgTypes.OID.int4)
export const reals: (values: ReadonlyArray<number | null> | null) => PgTypes.Parameter = array(PgTypes.OID.float4)
export const doubles: (values: ReadonlyArray<number | null> | null) => PgTypes.Parameter = array(PgTypes.OID.float8)
export const booleans: (values: ReadonlyArray<boolean | null> | null) => PgTypes.Parameter = array(PgTypes.OID.bool)

/** Elements are values, not JSON text; `null` is SQL's null. */
export const jsons: (values: ReadonlyArray<unknown> | null) => PgTypes.Parameter = array(PgTypes.OID.jsonb)

/** As `jsons`, for columns that keep the text as it is. */
export const verbatimJsons: (values: ReadonlyArray<unknown>) => PgTypes.Parameter = array(PgTypes.OID.json)

/** Elements are milliseconds since 1970. */
export const timestamps: (values: ReadonlyArray<number | null> | null) => PgTypes.Parameter = array(
  PgTypes.OID.timestamptz
)

/** Whole numbers up to 2^53. */
export const bigints = (values: ReadonlyArray<number | null> | null): PgTypes.Parameter =>
  array(PgTypes.OID.int8)(values?.map((value) => (value === null ? null : BigInt(value))) ?? null)

/** How an array of values becomes a parameter. */
export type OfArray<Value> = (values: ReadonlyArray<Value | null> | null) => PgTypes.Parameter

/**
 * A column of rows for `unnest` beside others: one without any value travels as null, which `unnest` fills up with nulls.
 * Nothing is then encoded, sent or parsed.
 */
export const sparse = <Value>(param: OfArray<Value>, values: ReadonlyArray<Value | null>): PgTypes.Parameter =>
  param(values.every((value) => value === null) ? null : values)

/** Ranges of whole numbers, both ends included, as the text of a multirange: to be cast to `int4multirange`. */
export const multirange = (ranges: Iterable<readonly [number, number]>): string =>
  `{${Array.from(ranges, ([first, last]) => `[${first},${last}]`).join(",")}}`

/** A value, not JSON text; `null` is SQL's null. */
export const json: (value: unknown) => PgTypes.Parameter = PgTypes.jsonb

/** Milliseconds since 1970. */
export const timestamp: (value: number | null) => PgTypes.Parameter = PgTypes.timestamptz

export const bigint = (value: number | null): PgTypes.Parameter => PgTypes.int8(value === null ? null : BigInt(value))
export const int: (value: number | null) => PgTypes.Parameter = PgTypes.int4
export const smallint: (value: number | null) => PgTypes.Parameter = PgTypes.int2
export const real: (value: number | null) => PgTypes.Parameter = PgTypes.float4
export const text: (value: string | null) => PgTypes.Parameter = PgTypes.text
