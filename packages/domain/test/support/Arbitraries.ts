/**
 * What tests generate commands from. The pools are small on purpose: commands that name the same few things meet.
 */
import { Arbitrary, Schema } from "effect"
import { Epoch, ManagerId } from "@muster/domain/Manager/Id"
import type { ManagerSpec } from "@muster/domain/Manager/Spec"
import { SuiteId } from "@muster/domain/Suite/Id"
import type { Timed } from "./GivenWhenThen.ts"

/** Some time in the past, so that times look like times. */
export const start = 1_760_000_000_000

/** The suite with this number. */
export const suite = (number: number): SuiteId => SuiteId.make(`s${String(number).padStart(15, "0")}`)

/** The manager with this number. */
export const manager = (number: number): ManagerId => ManagerId.make(`m${String(number).padStart(15, "0")}`)

export const epoch = (number: number): Epoch => Epoch.make(number)

export const spec = (overrides: Partial<ManagerSpec> = {}): ManagerSpec => ({
  name: "machine",
  tags: ["linux"],
  labels: [],
  workers: 4,
  version: "0.1.0",
  host: { hostname: "machine", platform: "linux", cpus: 4, memory: 8 * 1024 ** 3 },
  ...overrides
})

/** Suites 1 to 4. */
export const SuiteIds = Schema.Literals([1, 2, 3, 4].map(suite))

/** Managers 1 to 4. */
export const ManagerIds = Schema.Literals([1, 2, 3, 4].map(manager))

/** Epochs 1 to 3. */
export const Epochs = Schema.Literals([1, 2, 3].map(epoch))

const linux = Schema.Literal("linux")
const gpu = Schema.Literal("gpu")

/** Sets of tags. (Written out, because a random list seldom is a set.) */
export const Tags = Schema.Union([
  Schema.Tuple([]),
  Schema.Tuple([linux]),
  Schema.Tuple([gpu]),
  Schema.Tuple([linux, gpu]),
  Schema.Tuple([linux, gpu, Schema.Literal("nvlink")])
])

/** What managers say of themselves. (The real schema asks for texts that random ones seldom are.) */
export const Specs = Schema.Struct({
  name: Schema.Literals(["machine", "other"]),
  tags: Tags,
  labels: Schema.Tuple([]),
  workers: Schema.Literals([1, 4]),
  version: Schema.Literal("0.1.0"),
  host: Schema.Struct({
    hostname: Schema.Literal("machine"),
    platform: Schema.Literal("linux"),
    cpus: Schema.Literal(4),
    memory: Schema.Literal(8 * 1024 ** 3)
  })
})

/** The field `now` of a generated command: the time since the one before it. */
export const Wait = Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 3_000 }))

/** Sequences of commands, one after the other in time. */
export const sequences = <Command extends Timed>(
  command: Schema.Schema<Command>,
  maxLength = 80
): Arbitrary.Arbitrary<ReadonlyArray<Command>> =>
  Arbitrary.map(Arbitrary.array(Arbitrary.schema(command), { maxLength }), (commands) => {
    let now = start
    return commands.map((given) => {
      now += given.now
      return { ...given, now }
    })
  })

/** Numbers in [0, 1) from a seed: the same ones each time. */
export const randomFrom = (seed: number): (() => number) => {
  let state = seed >>> 0
  return () => {
    // mulberry32
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}
