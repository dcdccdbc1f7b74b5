/**
 * Runs commands through the command executor alone, in this process.
 */
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { Deferred, Effect, Layer } from "effect"
import * as LogFile from "@muster/domain/LogFile"
import type { OutputStream } from "@muster/domain/Manager/Directive"
import { SuiteId } from "@muster/domain/Suite/Id"
import { resolve } from "@muster/domain/Task"
import type { AttemptResult, CommandSpec, TaskDefaults } from "@muster/domain/Task"
import * as CommandExecutor from "../../src/CommandExecutor.ts"
import type { Make } from "../../src/Command/Launcher.ts"
import { ScratchDirectory } from "../../src/Command/Scratch.ts"
import type { Attempt } from "../../src/Executor.ts"
import { Replacement } from "../../src/Replacement.ts"
import * as WorkerConfig from "../../src/WorkerConfig.ts"
import { managerId, suiteId } from "./TestManager.ts"

export interface Options {
  readonly defaults?: TaskDefaults
  readonly suite?: SuiteId
}

const noDefaults: TaskDefaults = {}

export const otherSuite = SuiteId.make("zzzzzzzz12345678")

/** A command executor with its own directories. Everything ends with the scope. */
export const make = (...launchers: ReadonlyArray<Make>) =>
  Effect.gen(function* () {
    const directory = yield* Effect.acquireRelease(
      Effect.sync(() => mkdtempSync(join(tmpdir(), "muster-command-"))),
      (path) => Effect.sync(() => rmSync(path, { recursive: true, force: true, maxRetries: 5 }))
    )
    const config = {
      socket: join(directory, "none"),
      slot: 0,
      managerId,
      logDir: join(directory, "logs"),
      workDir: join(directory, "work"),
      handlers: undefined
    }
    const context = yield* Layer.build(
      ScratchDirectory.layer.pipe(Layer.provideMerge([WorkerConfig.layer(config), Replacement.layer]))
    )
    const executor = yield* Effect.provide(CommandExecutor.make({ launchers }), context)
    yield* Effect.addFinalizer(() => executor.endAll)
    let index = 0
    /** Indexes of the commands that are settled. */
    const order: Array<number> = []

    /** Begins a command and answers with a way to its result. */
    const start = (spec: CommandSpec, options: Options = {}) =>
      Effect.sync(() => {
        const defaults = options.defaults ?? noDefaults
        const attempt: Attempt = {
          item: { suiteId: options.suite ?? suiteId, index: index++, attempt: 1, spec },
          defaults,
          settings: resolve(spec, defaults),
          startedAt: undefined
        }
        const settled = Deferred.makeUnsafe<AttemptResult>()
        const begun = Deferred.makeUnsafe<void>()
        const returned = Deferred.makeUnsafe<{ readonly mayHaveBegun: boolean }>()
        executor.start(attempt, spec, {
          settle: (result) => {
            order.push(attempt.item.index)
            if (!Deferred.doneUnsafe(settled, Effect.succeed(result))) throw new Error("settled twice")
          },
          begun: () => Deferred.doneUnsafe(begun, Effect.void),
          abandon: () => {
            throw new Error("a command is never abandoned")
          },
          giveBack: (mayHaveBegun) => {
            if (!Deferred.doneUnsafe(returned, Effect.succeed({ mayHaveBegun }))) throw new Error("given back twice")
          }
        })
        return {
          attempt,
          result: Deferred.await(settled),
          begun: Deferred.await(begun),
          returned: Deferred.await(returned)
        }
      })

    const logPath = ({ item }: Attempt, stream: OutputStream) =>
      join(config.logDir, LogFile.path(item.suiteId, item.index, item.attempt, stream))

    return {
      directory,
      executor,
      order,
      replacement: (yield* Effect.provide(Replacement, context)).requested,
      start,
      run: (spec: CommandSpec, options?: Options) => Effect.flatMap(start(spec, options), ({ result }) => result),
      /** Runs a script of the shell. */
      sh: (script: string, spec: Partial<CommandSpec> = {}, options?: Options) =>
        Effect.flatMap(start({ program: "/bin/sh", args: ["-c", script], ...spec }, options), ({ result }) => result),
      log: (attempt: Attempt, stream: OutputStream): Buffer | undefined =>
        existsSync(logPath(attempt, stream)) ? readFileSync(logPath(attempt, stream)) : undefined
    }
  })
