/**
 * Where a page of a list ended, as text that says nothing to those who pass it on. It names its list, so that a cursor of
 * another list is refused instead of misread.
 */
import { Effect, Result, Schema } from "effect"
import { InvalidInput } from "@muster/domain/Errors"
import * as InputProblem from "@muster/domain/Api/InputProblem"

export interface Cursor<Place> {
  readonly encode: (place: Place) => string
  /** The place of the first page when there is no cursor. */
  readonly decode: (cursor: string | undefined, first: Place) => Effect.Effect<Place, InvalidInput>
}

export const make = <Place>(list: string, place: Schema.Codec<Place, Schema.Json>): Cursor<Place> => {
  const schema = Schema.StringFromBase64Url.pipe(
    Schema.decodeTo(Schema.fromJsonString(Schema.Tuple([Schema.Literal(list), place])))
  )
  const encode = Schema.encodeSync(schema)
  const decode = Schema.decodeUnknownResult(schema)
  return {
    encode: (at) => encode([list, at]),
    decode: (cursor, first) => {
      if (cursor === undefined) return Effect.succeed(first)
      const decoded = decode(cursor)
      return Result.isSuccess(decoded)
        ? Effect.succeed(decoded.success[1])
        : Effect.fail(
            new InvalidInput({
              field: "cursor",
              value: InputProblem.shorten(cursor),
              expected: "the nextCursor of a page of the same list"
            })
          )
    }
  }
}
