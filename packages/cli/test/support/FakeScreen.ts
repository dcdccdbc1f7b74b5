/** A screen that remembers what was written. */
import { Effect } from "effect"
import type { Screen, Stream } from "../../src/Screen.ts"

export interface Options {
  readonly isTerminal?: boolean
  readonly columns?: number
  readonly colors?: boolean
}

const decoder = new TextDecoder()

export const make = ({ colors = false, columns = Number.POSITIVE_INFINITY, isTerminal = false }: Options = {}) => {
  const stream = () => {
    let text = ""
    const target: Stream = {
      isTerminal,
      colors,
      columns: () => columns,
      write: (part) => Effect.sync(() => void (text += typeof part === "string" ? part : decoder.decode(part)))
    }
    return { target, text: () => text }
  }
  const out = stream()
  const err = stream()
  const screen: Screen = { out: out.target, err: err.target }
  return { screen, out: out.text, err: err.text }
}
