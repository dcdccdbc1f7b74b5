/**
 * Where a text stops being JSON. The platform's parser tells only sometimes, so the place is found by reading again; this
 * is done for texts that were refused, and for nothing else.
 */

export interface Place {
  /** From 1. */
  readonly line: number
  /** From 1, in characters. */
  readonly column: number
}

const spaces = /[ \t\n\r]*/y
const scalar = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?|true|false|null/y
/** What may stand in a string unescaped. */
const plain = /[^"\\\u0000-\u001f]*/y // oxlint-disable-line no-control-regex -- these are what JSON forbids
const escape = /\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})/y

/** Length of what a sticky expression matches at a place; nothing if it does not. */
const matchAt = (pattern: RegExp, text: string, at: number): number | undefined => {
  pattern.lastIndex = at
  return pattern.exec(text)?.[0].length
}

/** End of the string that begins at a place, or where it goes wrong. */
const readString = (text: string, start: number): { readonly end: number; readonly ok: boolean } => {
  let at = start + 1
  for (;;) {
    at += matchAt(plain, text, at) ?? 0
    if (text[at] === '"') return { end: at + 1, ok: true }
    const escaped = matchAt(escape, text, at)
    if (escaped === undefined) return { end: at, ok: false }
    at += escaped
  }
}

/** What may come next. */
type Expected = "value" | "value or ]" | "key" | "key or }" | "colon" | "comma or end"

/** Whether an object or array ends before its first member. */
const isEmptyEnd = (expected: Expected, character: string): boolean =>
  (expected === "key or }" && character === "}") || (expected === "value or ]" && character === "]")

const isKey = (expected: Expected): boolean => expected === "key" || expected === "key or }"

/** Index of the first character that cannot stand where it does: the length of the text if it ends too early. */
const firstWrong = (text: string): number => {
  const open: Array<"{" | "["> = []
  let expected: Expected = "value"
  let at = 0
  for (;;) {
    at += matchAt(spaces, text, at) ?? 0
    const character = text[at]
    const around = open.at(-1)
    if (character === undefined) return at
    if (expected === "colon") {
      if (character !== ":") return at
      at++
      expected = "value"
    } else if (expected === "comma or end") {
      const closing = around === "{" ? "}" : "]"
      if (around === undefined || (character !== "," && character !== closing)) return at
      at++
      if (character === ",") expected = around === "{" ? "key" : "value"
      else open.pop()
    } else if (isEmptyEnd(expected, character)) {
      at++
      open.pop()
      expected = "comma or end"
    } else if (character === '"') {
      const string = readString(text, at)
      at = string.end
      if (!string.ok) return at
      expected = isKey(expected) ? "colon" : "comma or end"
    } else if (isKey(expected)) {
      return at
    } else if (character === "{" || character === "[") {
      at++
      open.push(character)
      expected = character === "{" ? "key or }" : "value or ]"
    } else {
      const length = matchAt(scalar, text, at)
      if (length === undefined || length === 0) return at
      at += length
      expected = "comma or end"
    }
  }
}

/** Line and column of the first character that cannot stand where it does. */
export const place = (text: string): Place => {
  const at = firstWrong(text)
  const before = text.slice(0, at)
  const lineStart = before.lastIndexOf("\n") + 1
  return { line: before.split("\n").length, column: at - lineStart + 1 }
}

/** The place as people read it, with what stands there. */
export const describe = (text: string): string => {
  const { column, line } = place(text)
  const found = text.split("\n", line)[line - 1]?.slice(column - 1, column + 19) ?? ""
  return found === ""
    ? `the end of the text at line ${line}, column ${column}`
    : `${JSON.stringify(found)} at line ${line}, column ${column}`
}
