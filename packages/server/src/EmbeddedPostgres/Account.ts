/**
 * Which user Postgres runs as, and what that user can reach. Postgres refuses to run as root, so root's Postgres runs as
 * somebody else, who usually can see less of the disk than root.
 */
import * as FileSystem from "node:fs/promises"
import * as Path from "node:path"

export interface Account {
  readonly uid: number
  readonly gid: number
}

export const isRoot = (): boolean => process.getuid?.() === 0

/** The account to use as root: `postgres`, else `nobody`. The text is that of /etc/passwd. */
export const choose = (passwd: string): Account | undefined => {
  const accounts = new Map(
    passwd.split("\n").map((line) => {
      const [name = "", , uid, gid] = line.split(":")
      return [name, { uid: Number(uid), gid: Number(gid) }] as const
    })
  )
  return accounts.get("postgres") ?? accounts.get("nobody")
}

interface Permissions extends Account {
  readonly mode: number
}

/** Whether `account` has the permission bit (4 read, 2 write, 1 search) by owner, group or others, as the kernel decides it. */
export const allows = (file: Permissions, account: Account, bit: 1 | 2 | 4): boolean => {
  if (file.uid === account.uid) return (file.mode & (bit << 6)) !== 0
  if (file.gid === account.gid) return (file.mode & (bit << 3)) !== 0
  return (file.mode & bit) !== 0
}

/** Whether `account` can enter `directory` and every directory above it. */
export const canReach = async (account: Account, directory: string): Promise<boolean> => {
  for (let path = await FileSystem.realpath(directory); ; path = Path.dirname(path)) {
    if (!allows(await FileSystem.stat(path), account, 1)) return false
    if (path === Path.dirname(path)) return true
  }
}

/** Makes `directory`, entered and read by everybody even under a strict umask; what exists already keeps its mode. */
export const makePublicDirectory = async (directory: string): Promise<void> => {
  const first = await FileSystem.mkdir(directory, { recursive: true })
  if (first === undefined) return
  for (let path = directory; path.length >= first.length; path = Path.dirname(path)) await FileSystem.chmod(path, 0o755)
}
