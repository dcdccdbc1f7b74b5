/**
 * A disk that can be full: a small file system in memory, in which one manager has its directory. It is mounted where only
 * this run sees it, so nothing of it is left when the run is killed.
 */
import { spawnSync } from "node:child_process"
import { mkdirSync, rmSync, writeSync, openSync, closeSync } from "node:fs"
import { join } from "node:path"

/** Set for a run that has mounts of its own. */
export const privateMounts = "CHAOS_PRIVATE_MOUNTS"

const megabytes = 48

const command = ["unshare", "--mount", "--propagation", "private"] as const

/** The prefix with which a program has mounts of its own, if this user may do that. */
export const prefix = (): ReadonlyArray<string> | undefined => {
  const [program, ...args] = command
  return spawnSync(program, [...args, "true"], { stdio: "ignore" }).status === 0 ? command : undefined
}

export interface SmallDisk {
  readonly directory: string
  readonly fill: () => void
  readonly empty: () => void
  readonly close: () => void
}

/** Mounts one at this place; nothing if that is not allowed. */
export const make = (place: string): SmallDisk | undefined => {
  mkdirSync(place, { recursive: true })
  const mounted = spawnSync("mount", ["-t", "tmpfs", "-o", `size=${megabytes}m,mode=755`, "muster-chaos", place])
  if (mounted.status !== 0) return undefined
  const ballast = join(place, "ballast")
  return {
    directory: join(place, "manager"),
    fill: () => {
      const file = openSync(ballast, "w")
      try {
        // To the last byte: what is left is less than a page.
        for (const size of [1024 ** 2, 4096, 1]) {
          const block = Buffer.alloc(size)
          for (;;) if (writeSync(file, block) < size) break
        }
      } catch {
        // No room left on the device: that was the point.
      } finally {
        closeSync(file)
      }
    },
    empty: () => rmSync(ballast, { force: true }),
    close: () => void spawnSync("umount", [place])
  }
}
