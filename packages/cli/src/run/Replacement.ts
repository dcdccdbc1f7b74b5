/**
 * Replacement strings, as GNU parallel has them: `{}` the input, `{.}` without its extension, `{/}` its last part, `{//}`
 * its directory, `{/.}` its last part without extension, `{#}` the number of the task. With several sources of inputs
 * `{2}`, `{2/}` and so on are those of the second.
 */

type Transform = "" | "." | "/" | "//" | "/."

const numberMark = "{#}"
const pattern = /\{(?:#|(\d*)(\.|\/\/|\/\.|\/|))\}/g

const withoutExtension = (text: string) => text.replace(/(?<=[^/])\.[^./]*$/, "")
const lastPart = (text: string) => text.replace(/^.*\//s, "")

const directory = (text: string): string => {
  const end = text.replace(/\/+$/, "").lastIndexOf("/")
  if (end < 0) return "."
  return end === 0 ? "/" : text.slice(0, end)
}

const transforms: Readonly<Record<Transform, (text: string) => string>> = {
  "": (text) => text,
  ".": withoutExtension,
  "/": lastPart,
  "//": directory,
  "/.": (text) => withoutExtension(lastPart(text))
}

interface Mark {
  /** From 0. */
  readonly source: number | "all"
  readonly transform: Transform
}

/** A piece of an argument: text, an input, or the number of the task. */
type Part = { readonly text: string } | { readonly mark: Mark } | { readonly number: true }

const isTransform = (text: string): text is Transform => text in transforms

const parse = (argument: string): ReadonlyArray<Part> => {
  const parts: Array<Part> = []
  let end = 0
  for (const match of argument.matchAll(pattern)) {
    if (match.index > end) parts.push({ text: argument.slice(end, match.index) })
    end = match.index + match[0].length
    const transform = match[2] ?? ""
    if (match[0] === numberMark) parts.push({ number: true })
    else if (isTransform(transform)) {
      parts.push({ mark: { source: match[1] ? Number(match[1]) - 1 : "all", transform } })
    }
  }
  if (end < argument.length) parts.push({ text: argument.slice(end) })
  return parts
}

/** A command with places for inputs. */
export interface Template {
  /** Whether any replacement string occurs. */
  readonly isOpen: boolean
  /** The highest source that is named, from 1; 0 for none. */
  readonly highestSource: number
  /** The command for these inputs, one of each source. `number` counts tasks from 1. */
  readonly fill: (inputs: ReadonlyArray<string>, number: number) => ReadonlyArray<string>
}

const fillPart = (part: Part, inputs: ReadonlyArray<string>, number: number): string => {
  if ("text" in part) return part.text
  if ("number" in part) return String(number)
  const { source, transform } = part.mark
  const apply = transforms[transform]
  return source === "all" ? inputs.map(apply).join(" ") : apply(inputs[source] ?? "")
}

/** An argument that is nothing but `{}` becomes one argument for each source; anything else stays one. */
const fillArgument = (
  parts: ReadonlyArray<Part>,
  inputs: ReadonlyArray<string>,
  number: number
): ReadonlyArray<string> => {
  const [only, ...more] = parts
  if (only !== undefined && more.length === 0 && "mark" in only && only.mark.source === "all") {
    return inputs.map(transforms[only.mark.transform])
  }
  return [parts.map((part) => fillPart(part, inputs, number)).join("")]
}

/** Reads a command. Without any replacement string the inputs are appended, as GNU parallel does. */
export const compile = (command: ReadonlyArray<string>): Template => {
  const compiled = command.map(parse)
  const marks = compiled.flat().flatMap((part) => ("mark" in part ? [part.mark] : []))
  const isOpen = compiled.some((parts) => parts.some((part) => !("text" in part)))
  const highestSource = marks.reduce((most, { source }) => (source === "all" ? most : Math.max(most, source + 1)), 0)
  return {
    isOpen,
    highestSource,
    fill: (inputs, number) => {
      const filled = compiled.flatMap((parts) => fillArgument(parts, inputs, number))
      return isOpen ? filled : [...filled, ...inputs]
    }
  }
}

/** All combinations, the last source fastest: `a b` and `1 2` give a1, a2, b1, b2. */
export function* product(sources: ReadonlyArray<ReadonlyArray<string>>): Generator<ReadonlyArray<string>> {
  const [first, ...rest] = sources
  if (first === undefined) {
    yield []
    return
  }
  for (const input of first) for (const others of product(rest)) yield [input, ...others]
}
