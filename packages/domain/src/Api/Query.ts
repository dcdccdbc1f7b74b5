/**
 * What lists take in their query strings, and what they answer.
 */
import { Schema, SchemaGetter } from "effect"
import * as Page from "../Page.ts"

/**
 * Several values: `?state=failed,cancelled` or `?state=failed&state=cancelled`. For values without commas, which tags,
 * labels and states all are.
 */
export const list = <Item extends Schema.Codec<unknown, string>>(item: Item) =>
  Schema.Array(Schema.String).pipe(
    Schema.decodeTo(Schema.Array(item), {
      decode: SchemaGetter.transform((texts: ReadonlyArray<string>) => texts.flatMap((text) => text.split(","))),
      encode: SchemaGetter.passthrough()
    })
  )

export const paging = {
  limit: Schema.optionalKey(
    Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: Page.maxLimit })).annotate({
      description: `Most items in the answer (default ${Page.defaultLimit}).`
    })
  ),
  cursor: Schema.optionalKey(
    Schema.String.annotate({ description: "Where to go on: `nextCursor` of the answer before." })
  )
}

/** A page that may be shorter than `limit`, even empty, while there is more: only `nextCursor: null` is the end. */
export const page = <Item extends Schema.Top>(item: Item, identifier: string) =>
  Page.page(item).annotate({
    identifier,
    description: "One page of a list. There is more unless `nextCursor` is null, however many items are here."
  })
