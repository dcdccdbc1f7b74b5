/**
 * Lists come in pages: at most `limit` items, and a cursor when there is more.
 */
import { Schema } from "effect"
import { Text } from "./Text.ts"

export const defaultLimit = 50
/** Over HTTP. RPC clients that stream whole lists may ask for `maxRpcLimit`. */
export const maxLimit = 100
export const maxRpcLimit = 10_000

/** One page of a list. `nextCursor` is null on the last page. */
export const page = <Item extends Schema.Top>(item: Item) =>
  Schema.Struct({ items: Schema.Array(item), nextCursor: Schema.NullOr(Schema.String) })

/** What any list takes. */
export const query = {
  limit: Schema.optionalKey(Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: maxRpcLimit }))),
  /** Where the page before ended: its `nextCursor`. */
  cursor: Schema.optionalKey(Text)
}
