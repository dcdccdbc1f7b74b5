import { Data } from "effect"

/** Something that does not come with Muster and is not on this machine. Figures that need it are left out. */
export class NotInstalled extends Data.TaggedError("NotInstalled")<{ readonly what: string }> {
  override get message() {
    return `not installed: ${this.what}`
  }
}

export const isNotInstalled = (error: unknown): error is NotInstalled => error instanceof NotInstalled
