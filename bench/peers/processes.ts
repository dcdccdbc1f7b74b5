/**
 * What starts commands on a machine without Muster. Gives commands per second.
 */
import { spawn } from "node:child_process"
import { Effect } from "effect"

/** Asynchronous, so that what is connected to this process meanwhile stays so. */
const perSecond = (script: string, count: number) =>
  Effect.callback<number>((resume) => {
    const began = performance.now()
    const child = spawn("sh", ["-c", script], { stdio: ["ignore", "ignore", 2] })
    child.once("exit", (code) =>
      resume(
        code === 0
          ? Effect.succeed((count * 1_000) / (performance.now() - began))
          : Effect.die(new Error(`${script}: exit code ${code}`))
      )
    )
  })

export const xargs = (count: number, parallel: number) =>
  perSecond(`seq ${count} | xargs -P ${parallel} -n 1 /bin/true`, count)

export const gnuParallel = (count: number, parallel: number) =>
  perSecond(`seq ${count} | parallel -j ${parallel} /bin/true`, count)
