/**
 * The wall clock of single processes, moved while they run: the library `libfaketime` reads the difference from a file
 * with every look at the clock. The monotonic clock stays as it is, as on a real machine.
 */
import { existsSync, writeFileSync } from "node:fs"
import { join } from "node:path"

/** Where Debian's package has it, for each kind of processor that Muster runs on. */
const library = ["x86_64-linux-gnu", "aarch64-linux-gnu"]
  .map((system) => `/usr/lib/${system}/faketime/libfaketimeMT.so.1`)
  .find((path) => existsSync(path))

/** Why clocks cannot be moved here, if they cannot. */
export const missing: string | undefined =
  library === undefined ? "the library of the Debian package `libfaketime` is not installed" : undefined

export interface Clocks {
  /** What a process is to have in its environment so that its clock can be moved. */
  readonly environment: (name: string) => Readonly<Record<string, string>>
  /** Seconds forward, or back if negative; 0 is the true time. */
  readonly move: (name: string, seconds: number) => void
}

export const make = (home: string): Clocks => {
  const file = (name: string) => join(home, `clock-${name}`)
  const move = (name: string, seconds: number) =>
    writeFileSync(file(name), `${seconds < 0 ? "-" : "+"}${Math.abs(seconds)}\n`)
  return {
    move,
    environment: (name) => {
      move(name, 0)
      return {
        LD_PRELOAD: library ?? "",
        FAKETIME_TIMESTAMP_FILE: file(name),
        FAKETIME_NO_CACHE: "1",
        FAKETIME_DONT_FAKE_MONOTONIC: "1"
      }
    }
  }
}
