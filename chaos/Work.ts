/**
 * The tasks of the load: what each does, and how it is to end.
 */
import { fileURLToPath } from "node:url"
import type { TaskInput } from "@muster/client/MusterClient"
import type * as Chance from "./Chance.ts"
import { work } from "./handlers.ts"

const script = fileURLToPath(new URL("task.sh", import.meta.url))

type Kind = "sleep" | "print" | "litter" | "fail" | "fail-once" | "die" | "fork" | "daemon" | "stubborn"

const command = (kind: Kind, seconds: number, settings: Partial<TaskInput> = {}): TaskInput => ({
  program: "/bin/sh",
  args: [script, kind, seconds.toFixed(3)],
  grace: "500ms",
  ...settings
})

export const short = (chance: Chance.Chance): TaskInput =>
  chance.isLikely(0.1)
    ? command(chance.isLikely(0.5) ? "print" : "litter", chance.between(0, 0.05))
    : command("sleep", chance.between(0, 0.05))

export const long = (chance: Chance.Chance): TaskInput =>
  chance.isLikely(0.15)
    ? command("sleep", 60, { timeout: chance.whole(500, 3_000) })
    : command("sleep", chance.between(1, 8))

const retry = { limit: 2, backoff: 200, maxBackoff: 1_000 }

export const failing = (chance: Chance.Chance): TaskInput => {
  const seconds = chance.between(0, 0.3)
  return chance.weighted([
    { weight: 3, task: command("fail-once", seconds, { retry }) },
    { weight: 2, task: command("fail", seconds, { retry }) },
    { weight: 1, task: command("fail", seconds) },
    { weight: 1, task: command("die", seconds) },
    { weight: 1, task: { program: "/nowhere/to-be-found" } as TaskInput },
    { weight: 3, task: command("sleep", seconds) }
  ]).task
}

export const forking = (chance: Chance.Chance): TaskInput =>
  chance.weighted([
    { weight: 3, task: command("fork", chance.between(0, 2)) },
    { weight: 2, task: command("daemon", chance.between(0, 2)) },
    { weight: 1, task: command("stubborn", chance.between(0, 3)) }
  ]).task

export const handler = (chance: Chance.Chance): TaskInput => ({
  handler: work.name,
  input: {
    seconds:
      chance.weighted([
        { weight: 4, to: 0.1 },
        { weight: 1, to: 5 }
      ]).to * chance.next(),
    fails: chance.isLikely(0.1)
  },
  ...(chance.isLikely(0.5) ? { retry } : {})
})

export const any = (chance: Chance.Chance): TaskInput =>
  chance
    .weighted([
      { weight: 6, make: short },
      { weight: 2, make: long },
      { weight: 2, make: failing },
      { weight: 1, make: forking },
      { weight: 3, make: handler }
    ])
    .make(chance)
