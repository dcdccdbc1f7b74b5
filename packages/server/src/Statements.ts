/**
 * Joins statements with their own parameters into one: one round trip, one implicit transaction.
 */
import type { Write } from "./EventStore.ts"

/**
 * What may hold a `$1` that is no parameter, each matched whole: string literals (plain, with escapes), quoted
 * identifiers, dollar quotes, comments. Last a parameter itself. An identifier may contain `$1` too, hence the look-behind.
 */
const token =
  /(?<![\w$])[eE]'(?:[^'\\]|\\.|'')*'|'(?:[^']|'')*'|"(?:[^"]|"")*"|--[^\n]*|\/\*[\s\S]*?\*\/|(?<![\w$])\$((?:[A-Za-z_]\w*)?)\$[\s\S]*?\$\1\$|(?<![\w$])\$(\d+)/g

/**
 * Adds `offset` to the number of every parameter. Literals, quoted names, dollar quotes and comments are left alone;
 * nested block comments are the one form that is not understood.
 */
export const renumber = (text: string, offset: number): string =>
  offset === 0
    ? text
    : text.replace(token, (whole, _tag: string | undefined, number: string | undefined) =>
        number === undefined ? whole : `$${Number(number) + offset}`
      )

/** Texts of writes are constants, so each (text, offset) is renumbered once. */
const renumbered = new Map<string, string>()
const renumberedCapacity = 1_000

const renumberCached = (text: string, offset: number): string => {
  const key = `${offset} ${text}`
  const found = renumbered.get(key)
  if (found !== undefined) return found
  // Reached only when something builds texts on the fly, which `Write` forbids; starting over bounds the damage.
  if (renumbered.size >= renumberedCapacity) renumbered.clear()
  const result = renumber(text, offset)
  renumbered.set(key, result)
  return result
}

/**
 * A statement whose common table expressions are `head` (named `name`) and the writes, in that order, and whose answer
 * is `tail`, which may read from `name`.
 */
export const combine = (
  name: string,
  head: Write,
  writes: ReadonlyArray<Write>,
  tail: string
): { readonly text: string; readonly params: ReadonlyArray<unknown> } => {
  let text = `with ${name} as (${head.text})`
  const params = [...head.params]
  writes.forEach((write, index) => {
    text += `, write_${index} as (${renumberCached(write.text, params.length)})`
    for (const param of write.params) params.push(param)
  })
  return { text: `${text} ${tail}`, params }
}
