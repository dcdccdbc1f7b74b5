/**
 * Durations: whole milliseconds inside, `90s`, `5m` or `1h30m` where people write them.
 */
import { Effect, Schema, SchemaGetter, SchemaIssue } from "effect"

const units = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const
const part = /(\d+(?:\.\d+)?)(ms|s|m|h|d)/gy

/** What a duration may look like, for messages. */
export const expected = "a duration such as 500ms, 90s, 5m or 1h30m"

/** Milliseconds of a text such as `1h30m`, or nothing when it is no duration. */
export const parse = (text: string): number | undefined => {
  let total = 0
  let end = 0
  part.lastIndex = 0
  for (let match = part.exec(text); match !== null; match = part.exec(text)) {
    total += Number(match[1]) * units[match[2] as keyof typeof units] // the pattern allows no other unit
    end = part.lastIndex
  }
  return end === text.length && end > 0 ? Math.round(total) : undefined
}

/** The shortest text for a number of milliseconds: `90000` is `1m30s`. */
export const format = (millis: number): string => {
  if (millis === 0) return "0s"
  let rest = millis
  let text = ""
  for (const unit of ["d", "h", "m", "s", "ms"] as const) {
    const count = Math.floor(rest / units[unit])
    if (count > 0) text += `${count}${unit}`
    rest -= count * units[unit]
  }
  return text
}

/**
 * A duration between two limits in milliseconds. Decodes from a number of milliseconds or from text; encodes as a
 * number, so that it costs nothing on the wire.
 */
export const between = (minimum: number, maximum: number) =>
  Schema.Union([Schema.Number, Schema.String])
    .annotate({ expected })
    .pipe(
      Schema.decodeTo(
        Schema.Int.check(
          Schema.isBetween(
            { minimum, maximum },
            { expected: `a duration from ${format(minimum)} to ${format(maximum)}` }
          )
        ),
        {
          decode: SchemaGetter.transformEffect((input: number | string, options) => {
            const millis = typeof input === "number" ? input : parse(input)
            return millis === undefined
              ? Effect.fail(new SchemaIssue.InvalidValue({ expected }, input, options))
              : Effect.succeed(millis)
          }),
          encode: SchemaGetter.passthroughSupertype()
        }
      )
    )

/** Milliseconds since 1970 UTC, as a clock on one machine read it. Never compared across machines. */
export const Timestamp = Schema.Int
