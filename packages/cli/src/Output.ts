/**
 * How results are printed: as a table for people, as JSON for programs (never cut), as ids for other commands.
 */
import { Effect, Stream } from "effect"
import * as Screen from "./Screen.ts"
import * as Style from "./Style.ts"
import * as Table from "./Table.ts"

export const formats = ["table", "json", "jsonl", "ids"] as const
export type Format = (typeof formats)[number]

/** Rows of a table when nothing else is asked for: more than anybody reads, few enough not to hold up a terminal. */
export const tableLimit = 500

/** How one kind of thing is shown. */
export interface View<A> {
  readonly columns: ReadonlyArray<Table.Column<A>>
  readonly id: (item: A) => string
  /** What JSON shows, if it is not the item itself. */
  readonly json?: (item: A) => unknown
}

const toJson = <A>({ json }: Pick<View<A>, "json">, item: A): unknown => (json === undefined ? item : json(item))

const indent = (text: string) => text.replaceAll("\n", "\n  ")

/** A JSON array, written item by item so that its length costs no memory. */
const printArray = <A, E, R>(view: View<A>, items: Stream.Stream<A, E, R>) =>
  Effect.gen(function* () {
    const { out } = yield* Screen.Screen
    let separator = "[\n  "
    yield* Stream.runForEachArray(items, (part) => {
      let text = ""
      for (const item of part) {
        text += separator + indent(JSON.stringify(toJson(view, item), undefined, 2))
        separator = ",\n  "
      }
      return out.write(text)
    })
    yield* out.write(separator.startsWith("[") ? "[]\n" : "\n]\n")
  })

const printLines = <A, E, R>(items: Stream.Stream<A, E, R>, toLine: (item: A) => string) =>
  Effect.flatMap(Screen.Screen, ({ out }) =>
    Stream.runForEachArray(items, (part) => out.write(`${part.map(toLine).join("\n")}\n`))
  )

const printTable = <A, E, R>(view: View<A>, items: Stream.Stream<A, E, R>, limit: number) =>
  Effect.gen(function* () {
    const { out } = yield* Screen.Screen
    const rows = yield* Stream.runCollect(Stream.take(items, limit + 1))
    const shown = rows.slice(0, limit)
    const lines = Table.render(view.columns, shown, { width: out.columns(), paint: Style.paint(out) })
    yield* out.write(`${lines.join("\n")}\n`)
    if (rows.length > limit) {
      yield* Screen.note(`the first ${limit} are shown; --limit, --filter or -o jsonl show more`)
    }
  })

/** Prints a list. `limit`: most items; without it a table shows the first few hundred and JSON everything. */
export const list = <A, E, R>(
  format: Format,
  view: View<A>,
  items: Stream.Stream<A, E, R>,
  limit?: number
): Effect.Effect<void, E, R> => {
  const limited = limit === undefined ? items : Stream.take(items, limit)
  switch (format) {
    case "table":
      return printTable(view, limited, limit ?? tableLimit)
    case "json":
      return printArray(view, limited)
    case "jsonl":
      return printLines(limited, (item) => JSON.stringify(toJson(view, item)))
    case "ids":
      return printLines(limited, view.id)
  }
}

/** Prints one thing: for people as the lines given. */
export const one = <A>(
  format: Format,
  view: Pick<View<A>, "id" | "json">,
  item: A,
  lines: (item: A, paint: Style.Paint) => ReadonlyArray<string>
): Effect.Effect<void> =>
  Effect.flatMap(Screen.Screen, ({ out }) => {
    switch (format) {
      case "table":
        return out.write(`${lines(item, Style.paint(out)).join("\n")}\n`)
      case "json":
        return out.write(`${JSON.stringify(toJson(view, item), undefined, 2)}\n`)
      case "jsonl":
        return out.write(`${JSON.stringify(toJson(view, item))}\n`)
      case "ids":
        return out.write(`${view.id(item)}\n`)
    }
  })
