import { Flag } from "effect/cli"

export const stream = Flag.String("stream").pipe(
  Flag.withMetavar("STREAM"),
  Flag.withDescription("suite-<id>, manager-<id>, worker-<id> or coordinator-<pool> (default: all)"),
  Flag.optional
)
