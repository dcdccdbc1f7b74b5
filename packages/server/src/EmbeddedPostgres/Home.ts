/**
 * Where a cluster and its few companion files live. Normally that is the directory that was asked for. As root it may be
 * elsewhere, because the user that Postgres runs as must be able to reach it; then a file says where.
 */
import { Effect } from "effect"
import { createHash } from "node:crypto"
import * as FileSystem from "node:fs/promises"
import * as Path from "node:path"
import * as Account from "./Account.ts"
import { systemDirectory } from "./Binaries.ts"
import { attempt, PostgresStartError } from "./Errors.ts"

export interface Home {
  /** The directory that was asked for; error messages name this one. */
  readonly requested: string
  readonly root: string
  /** PGDATA: owned by the account, mode 0700. */
  readonly data: string
  readonly password: string
  readonly port: string
  readonly log: string
  /** Absent when the path of a socket in it would be longer than the kernel allows. */
  readonly sockets: string | undefined
  /** Who Postgres runs as, when that is not the user of this process. */
  readonly account: Account.Account | undefined
}

const locationFile = "postgres-location"

/** sockaddr_un.sun_path holds 108 bytes with the closing zero on Linux, 104 on macOS. */
const maxSocketPathBytes = process.platform === "darwin" ? 103 : 107

export const socketPath = (directory: string, port: number): string => Path.join(directory, `.s.PGSQL.${port}`)

const layout = (requested: string, root: string, account: Account.Account | undefined): Home => {
  const sockets = Path.join(root, "socket")
  return {
    requested,
    root,
    data: Path.join(root, "data"),
    password: Path.join(root, "superuser-password"),
    port: Path.join(root, "port"),
    log: Path.join(root, "postgres.log"),
    sockets: Buffer.byteLength(socketPath(sockets, 65_535)) <= maxSocketPathBytes ? sockets : undefined,
    account
  }
}

const readIfPresent = (path: string): Promise<string | undefined> =>
  FileSystem.readFile(path, "utf8").catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return undefined
    throw error
  })

/** Also right when the directory was readable once and is not any more: a cluster stays where it was first put. */
const chooseRoot = async (requested: string, account: Account.Account): Promise<string> => {
  const recorded = await readIfPresent(Path.join(requested, locationFile))
  if (recorded !== undefined) return recorded.trim()
  if (await Account.canReach(account, requested)) return requested
  const name = createHash("sha256").update(requested).digest("hex").slice(0, 12)
  const root = Path.join(systemDirectory, name, "postgres")
  await FileSystem.writeFile(Path.join(requested, locationFile), `${root}\n`)
  return root
}

const ownerOf = (path: string): Promise<Account.Account | undefined> =>
  FileSystem.stat(path).then(
    ({ gid, uid }) => ({ uid, gid }),
    () => undefined
  )

const makeOwnedDirectory = async (path: string, account: Account.Account | undefined): Promise<void> => {
  await FileSystem.mkdir(path, { recursive: true, mode: 0o700 })
  if (account !== undefined) await FileSystem.chown(path, account.uid, account.gid)
}

/** Decides where the cluster for `directory` lives and who runs it, and makes the directories around it. */
export const prepare = Effect.fn("EmbeddedPostgres.Home.prepare")(function* (directory: string) {
  const requested = yield* attempt(directory, async () => {
    await FileSystem.mkdir(directory, { recursive: true })
    return FileSystem.realpath(directory)
  })
  if (!Account.isRoot()) {
    const home = layout(requested, requested, undefined)
    const { sockets } = home
    if (sockets !== undefined) yield* attempt(requested, () => makeOwnedDirectory(sockets, undefined))
    return home
  }

  const chosen = yield* attempt(requested, async () => Account.choose(await FileSystem.readFile("/etc/passwd", "utf8")))
  if (chosen === undefined) {
    return yield* new PostgresStartError({
      reason: "NoAccount",
      directory: requested,
      detail: "there is no user `postgres` or `nobody` on this machine."
    })
  }
  return yield* attempt(requested, async () => {
    const root = await chooseRoot(requested, chosen)
    if (root !== requested) await Account.makePublicDirectory(root)
    // A cluster keeps its owner, even if a better one appears on the machine later.
    const owner = await ownerOf(layout(requested, root, chosen).data)
    const home = layout(requested, root, owner === undefined || owner.uid === 0 ? chosen : owner)
    if (home.sockets !== undefined) await makeOwnedDirectory(home.sockets, home.account)
    return home
  })
})
