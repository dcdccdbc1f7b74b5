/**
 * The files of a manager's journal on a simulated disk. What a process wrote is there for its successor.
 */
import { Effect } from "effect"
import { DirectoryError } from "@muster/manager/Directory"
import type { JournalFiles } from "@muster/manager/JournalFiles"
import type { Seeded } from "./Seeded.ts"

export class Disk {
  private readonly files = new Map<string, Buffer>()
  /** Sessions that began on this machine. */
  readonly instances: Array<string> = []
  /** Nothing more fits on it. */
  isFull = false

  /** What a sudden death may leave: the end of the last file is not whole. */
  tear(random: Seeded): void {
    for (const [name, data] of this.files) {
      if (data.length > 0) this.files.set(name, data.subarray(0, data.length - random.below(Math.min(data.length, 64))))
    }
  }

  lose(): void {
    this.files.clear()
  }

  get size(): number {
    let bytes = 0
    for (const data of this.files.values()) bytes += data.length
    return bytes
  }

  readonly journal: JournalFiles = {
    list: Effect.sync(() => [...this.files.keys()]),
    read: (name) => Effect.sync(() => Buffer.from(this.files.get(name) ?? [])),
    create: (name) =>
      Effect.suspend(() => {
        if (this.isFull) return Effect.fail(noSpace(name))
        this.files.set(name, Buffer.alloc(0))
        return Effect.succeed({
          write: (data: Uint8Array, position: number) => this.write(name, data, position),
          truncate: (size: number) =>
            Effect.sync(() => {
              this.files.set(name, (this.files.get(name) ?? Buffer.alloc(0)).subarray(0, size))
            }),
          sync: Effect.void,
          close: Effect.void
        })
      }),
    remove: (name) =>
      Effect.sync(() => {
        this.files.delete(name)
      }),
    rename: (from, to) =>
      Effect.sync(() => {
        const data = this.files.get(from)
        this.files.delete(from)
        if (data !== undefined) this.files.set(to, data)
      })
  }

  private write(name: string, data: Uint8Array, position: number): Effect.Effect<void, DirectoryError> {
    return Effect.suspend(() => {
      const before = this.files.get(name) ?? Buffer.alloc(0)
      // A full disk may have room for a part.
      const written = this.isFull ? data.subarray(0, data.length >> 1) : data
      const gap = Buffer.alloc(Math.max(0, position - before.length))
      this.files.set(
        name,
        Buffer.concat([before.subarray(0, position), gap, written, before.subarray(position + written.length)])
      )
      return this.isFull ? Effect.fail(noSpace(name)) : Effect.void
    })
  }
}

const noSpace = (path: string) => new DirectoryError({ path, cause: new Error("ENOSPC: no space left on device") })
