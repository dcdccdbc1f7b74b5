/**
 * Tables that fit the width they are given: first the columns that may shrink do, then those that matter least go.
 */
import { CliOutput } from "effect/cli"
import { line } from "./Show.ts"
import type { Paint } from "./Style.ts"
import * as Style from "./Style.ts"

export interface Column<A> {
  readonly header: string
  readonly value: (item: A) => string
  readonly align?: "left" | "right"
  /** May be cut, with an ellipsis. */
  readonly shrinks?: boolean
  /** Left out when it is empty, or when the table is too wide: highest first. Columns without it always stay. */
  readonly dispensable?: number
  /** Coloured by the state that it names. */
  readonly isState?: boolean
}

const gap = "  "
const minShrunk = 8

const widthOf = CliOutput.displayWidth

const cut = (text: string, width: number): string => {
  if (widthOf(text) <= width) return text
  let kept = ""
  for (const character of text) {
    if (widthOf(kept + character) > width - 1) break
    kept += character
  }
  return `${kept}…`
}

const fill = (text: string, width: number, align: "left" | "right"): string => {
  const space = " ".repeat(Math.max(0, width - widthOf(text)))
  return align === "right" ? space + text : text + space
}

const total = (widths: ReadonlyArray<number>) =>
  widths.reduce((sum, width) => sum + width, 0) + gap.length * Math.max(0, widths.length - 1)

/** The widths that fit, or nothing when they cannot. */
const fit = <A>(
  columns: ReadonlyArray<Column<A>>,
  natural: ReadonlyArray<number>,
  width: number
): ReadonlyArray<number> | undefined => {
  const widths = [...natural]
  while (total(widths) > width) {
    // The widest that may shrink gives way, so that several share the loss.
    let widest = -1
    for (const [place, column] of columns.entries()) {
      const own = widths[place] ?? 0
      if (column.shrinks === true && own > minShrunk && own > (widths[widest] ?? 0)) widest = place
    }
    if (widest < 0) return undefined
    widths[widest] = (widths[widest] ?? 0) - 1
  }
  return widths
}

const mostDispensable = <A>(columns: ReadonlyArray<Column<A>>): Column<A> | undefined =>
  columns
    .filter(({ dispensable }) => dispensable !== undefined)
    .toSorted((a, b) => (b.dispensable ?? 0) - (a.dispensable ?? 0))[0]

/** The lines of a table, the header first. */
export const render = <A>(
  given: ReadonlyArray<Column<A>>,
  items: ReadonlyArray<A>,
  { paint = Style.plain, width = Number.POSITIVE_INFINITY }: { readonly width?: number; readonly paint?: Paint } = {}
): ReadonlyArray<string> => {
  const columns = given.filter(
    ({ dispensable, value }) => dispensable === undefined || items.some((item) => value(item) !== "")
  )
  const cells = items.map((item) => columns.map(({ value }) => line(value(item))))
  const natural = columns.map(({ header }, place) =>
    cells.reduce((most, row) => Math.max(most, widthOf(row[place] ?? "")), widthOf(header))
  )
  const widths = fit(columns, natural, width)
  if (widths === undefined) {
    const leaving = mostDispensable(columns)
    if (leaving !== undefined) {
      return render(
        columns.filter((column) => column !== leaving),
        items,
        { width, paint }
      )
    }
  }
  const final = widths ?? natural
  const draw = (row: ReadonlyArray<string>, decorate: (text: string, place: number) => string) =>
    columns
      .map(({ align = "left" }, place) => {
        const text = cut(row[place] ?? "", final[place] ?? 0)
        const isLast = place === columns.length - 1 && align === "left"
        return decorate(isLast ? text : fill(text, final[place] ?? 0, align), place)
      })
      .join(gap)
      .trimEnd()
  const head = draw(
    columns.map(({ header }) => header),
    (text) => paint("bold", text)
  )
  const body = cells.map((row) =>
    draw(row, (text, place) => {
      const style = columns[place]?.isState === true ? Style.ofState((row[place] ?? "").split(" ")[0] ?? "") : undefined
      return style === undefined ? text : paint(style, text)
    })
  )
  return [head, ...body]
}

/** Lines of `name  value`, for one thing with its details. */
export const renderFields = (
  fields: ReadonlyArray<readonly [name: string, value: string]>,
  paint: Paint = Style.plain
): ReadonlyArray<string> => {
  const width = fields.reduce((most, [name]) => Math.max(most, name.length), 0)
  return fields.map(([name, value]) => `${paint("dim", name.padEnd(width))}${gap}${value}`)
}
