/** The command within this process, against the Muster of all tests: much faster than a process for each. */
import { Effect } from "effect"
import { inject } from "vitest"
import * as Cli from "../../src/Cli.ts"
import { Environment } from "../../src/Environment.ts"
import { Screen } from "../../src/Screen.ts"
import * as FakeScreen from "./FakeScreen.ts"

export interface Result {
  readonly code: number
  readonly out: string
  readonly err: string
}

/** Runs a command line with the given environment on top of where the tests' Muster is. */
export const run = (
  args: ReadonlyArray<string>,
  { env = {}, ...screenOptions }: FakeScreen.Options & { readonly env?: Readonly<Record<string, string>> } = {}
): Effect.Effect<Result> => {
  const fake = FakeScreen.make(screenOptions)
  return Effect.exit(Cli.run(args)).pipe(
    Effect.flatMap(Cli.report),
    Effect.map((code) => ({ code, out: fake.out(), err: fake.err() })),
    Effect.provideService(Screen, fake.screen),
    Effect.provideService(Environment, { MUSTER_DATA_DIR: inject("dataDir"), ...env })
  )
}

/** The JSON that a command prints; the command must end well. */
// oxlint-disable-next-line typescript/no-explicit-any -- tests look at what they expect to be there
export const json = (args: ReadonlyArray<string>): Effect.Effect<any> =>
  Effect.map(run([...args, "-o", "json"]), (result) => {
    if (result.code !== 0 && result.code !== 5) throw new Error(`muster ${args.join(" ")}: ${result.err}`)
    return JSON.parse(result.out)
  })
