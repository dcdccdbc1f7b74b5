/**
 * Sizes: whole bytes inside, `512Mi` or `64Ki` where people write them.
 */
import { Effect, Schema, SchemaGetter, SchemaIssue } from "effect"

const units = { "": 1, Ki: 1024, Mi: 1024 ** 2, Gi: 1024 ** 3, Ti: 1024 ** 4, k: 1e3, M: 1e6, G: 1e9 } as const
const pattern = /^(\d+(?:\.\d+)?)(Ki|Mi|Gi|Ti|k|M|G)?$/

/** What a size may look like, for messages. */
export const expected = "a size such as 4096, 64Ki or 512Mi"

/** Bytes of a text such as `512Mi`, or nothing when it is no size. */
export const parse = (text: string): number | undefined => {
  const match = pattern.exec(text)
  if (match === null) return undefined
  return Math.round(Number(match[1]) * units[(match[2] ?? "") as keyof typeof units]) // the pattern allows no other unit
}

/** The shortest exact text for a number of bytes: `524288` is `512Ki`. */
export const format = (bytes: number): string => {
  for (const unit of ["Ti", "Gi", "Mi", "Ki"] as const) {
    if (bytes >= units[unit] && bytes % units[unit] === 0) return `${bytes / units[unit]}${unit}`
  }
  return String(bytes)
}

const steps = ["B", "KiB", "MiB", "GiB", "TiB"] as const

/** About so much, for people: `812 B`, `1.5 GiB`. */
export const rounded = (bytes: number): string => {
  let value = bytes
  let step = 0
  while (value >= 1024 && step < steps.length - 1) {
    value /= 1024
    step++
  }
  return `${step === 0 || value >= 100 ? Math.round(value) : value.toFixed(1)} ${steps[step]}`
}

/** A size between two limits in bytes. Decodes from a number of bytes or from text; encodes as a number. */
export const between = (minimum: number, maximum: number) =>
  Schema.Union([Schema.Number, Schema.String])
    .annotate({ expected })
    .pipe(
      Schema.decodeTo(
        Schema.Int.check(
          Schema.isBetween({ minimum, maximum }, { expected: `a size from ${format(minimum)} to ${format(maximum)}` })
        ),
        {
          decode: SchemaGetter.transformEffect((input: number | string, options) => {
            const bytes = typeof input === "number" ? input : parse(input)
            return bytes === undefined
              ? Effect.fail(new SchemaIssue.InvalidValue({ expected }, input, options))
              : Effect.succeed(bytes)
          }),
          encode: SchemaGetter.passthroughSupertype()
        }
      )
    )
