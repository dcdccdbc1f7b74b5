/** The terminal of `muster replay --step`: one key, one step. */
import { Effect, Stream } from "effect"
import type { Recorded } from "@muster/domain/Recorded"
import * as Screen from "../Screen.ts"
import * as Style from "../Style.ts"
import * as Stepper from "./Stepper.ts"
import * as View from "./View.ts"

/** Keys that mean the same as a letter. */
const same: Readonly<Record<string, string>> = {
  " ": "n",
  "\r": "n",
  "\n": "n",
  j: "n",
  l: "n",
  k: "b",
  h: "b",
  "\u007F": "b",
  "\u001B[C": "n",
  "\u001B[B": "n",
  "\u001B[D": "b",
  "\u001B[A": "b",
  "\u001B[H": "g",
  "\u001B[F": "G",
  "\u0003": "q",
  "\u0004": "q",
  "\u001B": "q"
}

/** What was typed, as it comes; the terminal is as it was when the scope closes. */
const keys = Stream.unwrap(
  Effect.map(
    Effect.acquireRelease(
      Effect.sync(() => {
        process.stdin.setRawMode(true)
        process.stdin.resume()
        return process.stdin
      }),
      (stdin) =>
        Effect.sync(() => {
          stdin.setRawMode(false)
          stdin.pause()
        })
    ),
    (stdin) =>
      Stream.fromAsyncIterable<Buffer, never>(stdin, () => {
        throw new Error("the terminal cannot be read")
      }).pipe(Stream.map((typed) => typed.toString("utf8")))
  )
)

/** What the walker shows next, by what was typed; false ends it. */
export const walker = (log: ReadonlyArray<Recorded>) => {
  const stepper = Stepper.make(log)
  stepper.goTo(1)
  let note: string | undefined
  let asking: { readonly question: Stepper.Question; text: string } | undefined

  const answer = (key: string): void => {
    if (asking === undefined) return
    if (key === "\r" || key === "\n") {
      note = asking.question.answer(stepper, asking.text.trim())
      asking = undefined
    } else if (key === "\u001B" || key === "\u0003") asking = undefined
    else if (key === "\u007F") asking = { ...asking, text: asking.text.slice(0, -1) }
    else asking = { ...asking, text: asking.text + key.replaceAll(/\p{Cc}/gu, "") }
  }

  return {
    press: (typed: string): boolean => {
      // What was pasted comes at once: a question takes it up to its Enter.
      if (asking !== undefined) {
        for (const key of typed.startsWith("\u001B") ? [typed] : typed) answer(key)
        return true
      }
      const key = same[typed] ?? typed
      note = undefined
      if (key === "q") return false
      const question = Stepper.questions[key]
      if (question !== undefined) asking = { question, text: "" }
      else Stepper.moves[key]?.(stepper)
      return true
    },
    lines: (columns: number, paint: Style.Paint): ReadonlyArray<string> => [
      ...View.screen(
        {
          number: stepper.place(),
          size: stepper.size,
          event: stepper.event(),
          before: stepper.before(),
          after: stepper.after(),
          note
        },
        columns,
        paint
      ),
      ...(asking === undefined ? [] : [`${asking.question.prompt}: ${asking.text}`])
    ]
  }
}

const clear = "\u001B[H\u001B[2J\u001B[3J"

export const run = Effect.fnUntraced(function* (log: ReadonlyArray<Recorded>) {
  const { out } = yield* Screen.Screen
  const walk = walker(log)
  const draw = Effect.suspend(() => out.write(`${clear}${walk.lines(out.columns(), Style.paint(out)).join("\n")}\n`))
  yield* draw
  yield* Effect.scoped(
    keys.pipe(
      Stream.map(walk.press),
      Stream.takeWhile((goesOn) => goesOn),
      Stream.runForEach(() => draw)
    )
  )
})
