/**
 * Puts virtual time and seeded chance in the place of the real ones for as long as a run lasts, also for code that asks the
 * system itself: a run is one synchronous call, so nobody else sees it. Real timers are refused, since nothing would ever
 * come of them.
 */
import { syncBuiltinESMExports } from "node:module"
import Os from "node:os"
import type { Seeded } from "./Seeded.ts"
import type { World } from "./World.ts"

/** The world whose run this is, if one is under way. */
let running: World | undefined

// Modules import this one by its name, so it is replaced once and for all, by what asks the running world if there is one.
const uptime = Os.uptime
Os.uptime = () => (running === undefined ? uptime() : (running.current?.uptime() ?? 0))
syncBuiltinESMExports()

const refused = (name: string) => () => {
  throw new Error(`${name} was called in a simulation: real time leaked in`)
}

const uuid = (random: Seeded): `${string}-${string}-${string}-${string}-${string}` => {
  const digits = (count: number) => Array.from({ length: count }, () => random.below(16).toString(16)).join("")
  return `${digits(8)}-${digits(4)}-4${digits(3)}-8${digits(3)}-${digits(12)}`
}

interface Place {
  readonly of: object
  readonly name: string
  readonly value: unknown
}

const put = ({ name, of, value }: Place): (() => void) => {
  const before = Object.getOwnPropertyDescriptor(of, name)
  Object.defineProperty(of, name, {
    value,
    configurable: true,
    writable: true,
    enumerable: before?.enumerable ?? false
  })
  return () => {
    if (before === undefined) Reflect.deleteProperty(of, name)
    else Object.defineProperty(of, name, before)
  }
}

export const within = <A>(world: World, act: () => A): A => {
  // Of their own: how often something asks for a number may depend on what earlier runs have left in caches.
  const forMath = world.random.fork()
  const forIds = world.random.fork()
  const restores = [
    { of: Date, name: "now", value: () => world.current?.wallClock() ?? Math.floor(world.now) },
    { of: performance, name: "now", value: () => world.current?.monotonic() ?? world.now },
    { of: Math, name: "random", value: forMath.next },
    { of: crypto, name: "randomUUID", value: () => uuid(forIds) },
    ...["setTimeout", "setInterval", "setImmediate", "queueMicrotask"].map((name) => ({
      of: globalThis,
      name,
      value: refused(name)
    }))
  ].map(put)
  running = world
  try {
    return act()
  } finally {
    running = undefined
    for (const restore of restores.toReversed()) restore()
  }
}
