/**
 * The sessions that processes of this manager opened on this machine, and of which it is certain that nothing is left. A
 * coordinator that hears of it need not wait until their leases would have been over.
 *
 * Certain means: the process before this one noted its sessions in the manager's directory in the same run of the same
 * machine, as processes of the same namespace see it; it has ended, or the lock would not be ours; and nothing that it
 * started is to be found.
 */
import { Context, Effect, Layer, Schema } from "effect"
import * as FileSystem from "node:fs/promises"
import * as Path from "node:path"
import { attempt } from "./Directory.ts"
import type { DirectoryError } from "./Directory.ts"
import * as Leftovers from "./Leftovers.ts"
import { Machine } from "./Machine.ts"

export class Instances extends Context.Service<
  Instances,
  {
    /** Names the next session, of a process that has ended everything of the one before. */
    readonly next: Effect.Effect<{ readonly instance: string; readonly gone: ReadonlyArray<string> }>
  }
>()("@muster/manager/Instances") {}

/** So many are remembered: more than a coordinator can ask about. */
const maxInstances = 16

const Noted = Schema.fromJsonString(
  Schema.Struct({
    /** The run of the machine, and the namespace in which process numbers mean something. */
    surroundings: Schema.String,
    instances: Schema.Array(Schema.String)
  })
)
const decode = Schema.decodeUnknownOption(Noted)
const encode = Schema.encodeSync(Noted)

/** Absent where the system does not tell. */
const surroundings: Effect.Effect<string | undefined> = Effect.promise(async () => {
  try {
    const boot = await FileSystem.readFile("/proc/sys/kernel/random/boot_id", "utf8")
    return `${boot.trim()} ${await FileSystem.readlink("/proc/self/ns/pid")}`
  } catch {
    return undefined
  }
})

export const make = Effect.gen(function* () {
  const { directory, managerId } = yield* Machine
  const path = Path.join(directory.root, "sessions")
  const here = yield* surroundings
  const before = decode(
    yield* attempt(path, () =>
      FileSystem.readFile(path, "utf8").catch((error: NodeJS.ErrnoException) => {
        if (error.code === "ENOENT") return ""
        throw error
      })
    )
  )
  const isClean = yield* Leftovers.end(managerId, directory)
  if (!isClean) yield* Effect.logWarning("something that an earlier process of this manager started may still run")
  const isCertain = isClean && before._tag === "Some" && here !== undefined && before.value.surroundings === here
  let known: ReadonlyArray<string> = isCertain ? before.value.instances : []

  const note = (instances: ReadonlyArray<string>) =>
    attempt(path, async () => {
      const draft = `${path}.new`
      await FileSystem.writeFile(draft, encode({ surroundings: here ?? "", instances }), { mode: 0o600, flush: true })
      await FileSystem.rename(draft, path)
    })

  return Instances.of({
    next: Effect.gen(function* () {
      const gone = known
      const instance = crypto.randomUUID()
      known = [...gone, instance].slice(-maxInstances)
      // One that is not noted is one of which nobody will be certain.
      yield* note(known).pipe(Effect.catch((error) => Effect.logWarning(error.message)))
      return { instance, gone }
    })
  })
})

export const layer: Layer.Layer<Instances, DirectoryError, Machine> = Layer.effect(Instances, make)
