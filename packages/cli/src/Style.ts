/** Colours, where the screen has them. */
import type { Stream } from "./Screen.ts"

const codes = { bold: 1, dim: 2, red: 31, green: 32, yellow: 33, blue: 34, cyan: 36 } as const
export type Style = keyof typeof codes

export type Paint = (style: Style, text: string) => string

export const plain: Paint = (_, text) => text

export const paint = ({ colors }: Pick<Stream, "colors">): Paint =>
  colors ? (style, text) => (text === "" ? text : `\u001B[${codes[style]}m${text}\u001B[0m`) : plain

const states: Readonly<Record<string, Style>> = {
  succeeded: "green",
  complete: "green",
  failed: "red",
  crashed: "red",
  lost: "red",
  timed_out: "red",
  running: "cyan",
  executing: "cyan",
  assigned: "blue",
  cancelled: "yellow",
  offline: "red"
}

/** The colour of a state's name, if it has one. */
export const ofState = (state: string): Style | undefined => states[state]
