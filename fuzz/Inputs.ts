/**
 * Bad input: what people and programs get wrong, and what attackers try.
 */
import * as fc from "fast-check"

/** The value of an arbitrary for a seed. */
export const sample = <A>(arbitrary: fc.Arbitrary<A>, seed: number): A => {
  const [value] = fc.sample(arbitrary, { seed, numRuns: 1 })
  return value as A // one was asked for
}

const nested = (depth: number, open: string, middle: string, close: string) =>
  open.repeat(depth) + middle + close.repeat(depth)

/** Text that is troublesome wherever text is read. */
export const nastyText: fc.Arbitrary<string> = fc.oneof(
  fc.constantFrom(
    "",
    " ",
    "\0",
    "\u0000null",
    "\ud800",
    "\udfff\ud800",
    "\u202e",
    "__proto__",
    "constructor",
    "toString",
    "../../etc/passwd",
    "%00",
    "%2e%2e%2f",
    "%",
    "'; drop table events; --",
    "${jndi:ldap://x}",
    "\r\nset-cookie: a=b",
    "1e400",
    "-0",
    "NaN",
    "9".repeat(400),
    "a".repeat(10_000)
  ),
  fc.string({ unit: "binary", maxLength: 60 }),
  fc.string({ maxLength: 60 })
)

/** JSON values that are troublesome wherever JSON is read. */
export const nastyValue: fc.Arbitrary<unknown> = fc.oneof(
  { weight: 3, arbitrary: nastyText },
  {
    weight: 3,
    arbitrary: fc.constantFrom<unknown>(
      null,
      true,
      false,
      0,
      -1,
      1,
      0.5,
      -0.5,
      2 ** 31,
      2 ** 32,
      2 ** 53,
      -(2 ** 53),
      1e300,
      [],
      {},
      [[]],
      [null],
      [{}]
    )
  },
  { weight: 2, arbitrary: fc.jsonValue({ maxDepth: 3 }) },
  {
    weight: 1,
    arbitrary: fc
      .tuple(fc.integer({ min: 1, max: 2_000 }), fc.boolean())
      .map(([depth, isArray]): unknown =>
        JSON.parse(isArray ? nested(depth, "[", "", "]") : nested(depth, `{"a":`, "1", "}"))
      )
  },
  { weight: 1, arbitrary: fc.array(fc.integer(), { minLength: 100, maxLength: 2_000 }) }
)

type Gen = fc.GeneratorValue

const isContainer = (value: unknown): value is Record<string, unknown> => typeof value === "object" && value !== null

/** The value with one thing changed somewhere in it. */
const changeOne = (value: unknown, g: Gen): unknown => {
  const isLeaf = !isContainer(value) || Object.keys(value).length === 0
  if (isLeaf || g(fc.integer, { min: 0, max: 5 }) === 0) return g(() => nastyValue)
  const keys = Object.keys(value)
  const key = keys[g(fc.nat, { max: keys.length - 1 })] ?? ""
  const copy: Record<string, unknown> = Array.isArray(value) ? ([...value] as never) : { ...value } // both are indexed alike
  switch (g(fc.integer, { min: 0, max: 7 })) {
    case 0:
      if (Array.isArray(value)) return value.filter((_, place) => String(place) !== key)
      delete copy[key]
      return copy
    case 1:
      if (Array.isArray(value)) return [...value, ...value]
      copy[g(() => nastyText)] = copy[key]
      return copy
    default:
      copy[key] = changeOne(value[key], g)
      return copy
  }
}

/** A good value with a few things changed. */
export const changed = (good: unknown): fc.Arbitrary<unknown> =>
  fc.gen().map((g) => {
    let value: unknown = structuredClone(good)
    const times = g(fc.integer, { min: 1, max: 3 })
    for (let k = 0; k < times; k++) value = changeOne(value, g)
    return value
  })

const snippets = [
  "[".repeat(5_000),
  `{"a":`.repeat(5_000),
  "1e999",
  "-",
  '"',
  "\\",
  "\\u",
  "\\ud800",
  "{}",
  ",",
  ":",
  "\n",
  "\r\n\r\n",
  "\0",
  "\u2028",
  '{"__proto__":{"polluted":true}}',
  "9".repeat(2_000)
]

/** The bytes with a few places damaged. */
export const damaged = (good: Uint8Array): fc.Arbitrary<Buffer> =>
  fc.gen().map((g) => {
    let bytes = Buffer.from(good)
    const times = g(fc.integer, { min: 1, max: 4 })
    for (let k = 0; k < times; k++) {
      const place = g(fc.nat, { max: bytes.length })
      const length = g(fc.nat, { max: Math.min(64, bytes.length - place) })
      const [before, after] = [bytes.subarray(0, place), bytes.subarray(place)]
      switch (g(fc.integer, { min: 0, max: 5 })) {
        case 0:
          bytes = Buffer.from(before)
          break
        case 1:
          bytes = Buffer.concat([before, after.subarray(length)])
          break
        case 2:
          bytes = Buffer.concat([before, after.subarray(0, length), after])
          break
        case 3:
          bytes = Buffer.concat([before, Buffer.from(g(fc.constantFrom, ...snippets)), after])
          break
        case 4:
          bytes = Buffer.concat([before, g(fc.uint8Array, { maxLength: 32 }), after])
          break
        default:
          if (place < bytes.length) bytes[place] = (bytes[place] ?? 0) ^ (1 << g(fc.integer, { min: 0, max: 7 }))
      }
    }
    return bytes
  })

/** Bytes of no meaning. */
export const noise: fc.Arbitrary<Buffer> = fc
  .oneof(fc.uint8Array({ maxLength: 200 }), fc.uint8Array({ minLength: 500, maxLength: 5_000 }))
  .map((bytes) => Buffer.from(bytes))
