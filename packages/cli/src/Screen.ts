/**
 * The terminal, or whatever stands in its place: results go to standard output, everything about them to standard error.
 */
import { Context, Effect } from "effect"
import type { WriteStream } from "node:tty"
import * as ExitCode from "./ExitCode.ts"

export interface Stream {
  /** Returns when the text is with the system, so that a slow reader slows the writer down. */
  readonly write: (text: string | Uint8Array) => Effect.Effect<void>
  readonly isTerminal: boolean
  readonly colors: boolean
  /** Width in columns; asked each time because windows change. Not limited when it is no terminal. */
  readonly columns: () => number
}

export interface Screen {
  readonly out: Stream
  readonly err: Stream
}

/** https://no-color.org, and terminals that cannot. */
const wantsColors = (environment: NodeJS.ProcessEnv): boolean =>
  (environment["NO_COLOR"] ?? "") === "" && environment["TERM"] !== "dumb"

/** What Node says of a stream: where there is no terminal, two of these are not there. */
interface Target extends Pick<WriteStream, "write"> {
  readonly isTTY?: boolean
  readonly columns?: number
}

const fromStream = (stream: Target): Stream => {
  const isTerminal = stream.isTTY ?? false
  return {
    isTerminal,
    colors: isTerminal && wantsColors(process.env),
    columns: () => (isTerminal ? stream.columns || 80 : Number.POSITIVE_INFINITY),
    write: (text) =>
      Effect.callback<void>((resume) => {
        stream.write(text, () => resume(Effect.void))
      })
  }
}

/** A reader that has seen enough (`muster … | head`) ends the program without a word, as it ends any other. */
const endWithReader = (stream: NodeJS.WriteStream) =>
  stream.on("error", (error: NodeJS.ErrnoException) => {
    if (error.code === "EPIPE") process.exit(ExitCode.brokenPipe)
    throw error
  })

export const Screen: Context.Reference<Screen> = Context.Reference("@muster/cli/Screen", {
  defaultValue: () => {
    endWithReader(process.stdout)
    endWithReader(process.stderr)
    return { out: fromStream(process.stdout), err: fromStream(process.stderr) }
  }
})

/** A line for people, beside the result. */
export const note = (line: string): Effect.Effect<void> => Effect.flatMap(Screen, ({ err }) => err.write(`${line}\n`))

/** A line of the result. */
export const print = (line: string): Effect.Effect<void> => Effect.flatMap(Screen, ({ out }) => out.write(`${line}\n`))
