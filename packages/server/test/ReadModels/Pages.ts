/**
 * Reading lists to their end, as users do.
 */
import { Effect } from "effect"
import type { Page } from "../../src/ReadModels/Query.ts"

/** All pages of a list. Fails the test when a list does not end. */
export const pages = Effect.fnUntraced(function* <Item, E, R>(
  read: (cursor: string | undefined) => Effect.Effect<Page<Item>, E, R>,
  most = 1_000
) {
  const found: Array<ReadonlyArray<Item>> = []
  let cursor: string | null | undefined
  while (cursor !== null) {
    const page: Page<Item> = yield* read(cursor)
    found.push(page.items)
    cursor = page.nextCursor
    if (found.length > most) return yield* Effect.die(new Error("the list does not end"))
  }
  return found
})
