/** The command as a process of its own, as users run it. */
import { spawn } from "node:child_process"
import type { ChildProcess } from "node:child_process"
import { inject } from "vitest"

export interface Ended {
  readonly code: number | null
  readonly out: string
  readonly err: string
}

export interface Options {
  readonly env?: NodeJS.ProcessEnv
  readonly input?: string | Uint8Array
  /** What is run; by default the bundle of all tests. */
  readonly program?: string
}

/** Variables of whoever runs the tests must not reach the command. */
const cleanEnvironment = () =>
  Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith("MUSTER_") && name !== "NO_COLOR"))

export const start = (args: ReadonlyArray<string>, { env, input, program = inject("entry") }: Options = {}) => {
  const child = spawn(process.execPath, [program, ...args], { env: { ...cleanEnvironment(), ...env } })
  let out = ""
  let err = ""
  child.stdout.setEncoding("utf8").on("data", (text: string) => void (out += text))
  child.stderr.setEncoding("utf8").on("data", (text: string) => void (err += text))
  // A command that refuses its arguments does not read its input.
  child.stdin.on("error", () => {})
  if (input !== undefined) child.stdin.write(input)
  child.stdin.end()
  const ended = new Promise<Ended>((resolve, reject) => {
    child.once("error", reject)
    child.once("close", (code) => resolve({ code, out, err }))
  })
  return { child: child as ChildProcess, ended, out: () => out, err: () => err }
}

export const run = (args: ReadonlyArray<string>, options?: Options): Promise<Ended> => start(args, options).ended

/** Waits until a condition holds. */
export const until = async (what: string, condition: () => boolean | Promise<boolean>, millis = 20_000) => {
  const end = Date.now() + millis
  while (!(await condition())) {
    if (Date.now() > end) throw new Error(`not within ${millis} ms: ${what}`)
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
}
