/**
 * Who this manager is: an id made at its first start and kept in its directory.
 */
import { Effect } from "effect"
import * as FileSystem from "node:fs/promises"
import { ManagerId } from "@muster/domain/Manager/Id"
import * as ShortId from "@muster/domain/ShortId"
import { attempt, DirectoryError, prepare } from "./Directory.ts"
import type { Directory } from "./Directory.ts"
import * as MachineLock from "./MachineLock.ts"

const read = Effect.fnUntraced(function* (path: string) {
  const known = yield* attempt(path, () =>
    FileSystem.readFile(path, "utf8").catch((error: NodeJS.ErrnoException) => {
      if (error.code === "ENOENT") return undefined
      throw error
    })
  )
  if (known === undefined) return undefined
  const id = known.trim()
  if (ShortId.pattern.test(id)) return ManagerId.make(id)
  return yield* new DirectoryError({
    path,
    cause: new Error(`it holds ${JSON.stringify(id)}, which is no manager id`)
  })
})

/** The id of the directory's manager. Only the holder of the machine lock may ask. */
export const load = Effect.fn("Identity.load")(function* (directory: Directory) {
  const path = directory.identity
  const known = yield* read(path)
  if (known !== undefined) return known
  const id = ShortId.make(Date.now(), Math.random)
  yield* attempt(path, async () => {
    // Renamed into place, so that a crash leaves a whole id or none.
    const draft = `${path}.new`
    await FileSystem.writeFile(draft, `${id}\n`, { mode: 0o600, flush: true })
    await FileSystem.rename(draft, path)
  })
  return ManagerId.make(id)
})

/** As `load`, for whoever is not the manager, whether it runs or never did: certificates are made out to the id. */
export const find = Effect.fn("Identity.find")(function* (path: string) {
  const directory = yield* prepare(path)
  const known = yield* read(directory.identity)
  if (known !== undefined) return known
  return yield* Effect.scoped(Effect.andThen(MachineLock.acquire(directory.root), load(directory)))
})
