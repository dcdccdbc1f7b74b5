/**
 * Which faults a run makes, and when: a pure function of the seed.
 */
import * as Chance from "./Chance.ts"
import type { Fault, Kind, Target } from "./Fault.ts"

/** How many of each there are. */
export interface Shape {
  readonly coordinators: number
  readonly managers: number
  /** Workers of each manager. */
  readonly workers: number
  /** Which manager has a small disk of its own and which processes a clock that can be moved, if this machine allows it. */
  readonly smallDisk: number | undefined
  readonly movableClocks: { readonly coordinator: number; readonly manager: number } | undefined
}

/** Before the first fault: the load has begun, and everything has been seen to work. Milliseconds. */
const calm = 4_000
/** Between two faults, on average and at the extremes. */
const gap = { mean: 3_000, shortest: 300, longest: 9_000 }
/** What was killed or restarted is left alone for so long, so that it has a chance to come back. */
const recovering = 5_000

interface Choice {
  readonly weight: number
  readonly kind: Kind
  readonly target: (chance: Chance.Chance) => Target
}

const choices = (shape: Shape): readonly [Choice, ...ReadonlyArray<Choice>] => {
  const coordinator = (chance: Chance.Chance) => chance.whole(1, shape.coordinators)
  const manager = (chance: Chance.Chance) => chance.whole(1, shape.managers)
  const aCoordinator = (chance: Chance.Chance): Target => ({ _tag: "Coordinator", coordinator: coordinator(chance) })
  const aManager = (chance: Chance.Chance): Target => ({ _tag: "Manager", manager: manager(chance) })
  const aWorker = (chance: Chance.Chance): Target => ({
    _tag: "Worker",
    manager: manager(chance),
    slot: chance.whole(0, shape.workers - 1)
  })
  const postgres = (): Target => ({ _tag: "Postgres" })
  const aLink = (chance: Chance.Chance): Target => ({
    _tag: "ManagerLink",
    manager: manager(chance),
    coordinator: coordinator(chance)
  })
  const aMachine = (chance: Chance.Chance): Target => ({ _tag: "Machine", manager: manager(chance) })
  const aDatabaseLink = (chance: Chance.Chance): Target => ({
    _tag: "DatabaseLink",
    coordinator: coordinator(chance)
  })
  const { movableClocks, smallDisk } = shape
  return [
    { weight: 4, kind: "kill", target: aCoordinator },
    { weight: 3, kind: "kill", target: aManager },
    { weight: 4, kind: "kill", target: aWorker },
    { weight: 1.5, kind: "kill", target: postgres },
    { weight: 4, kind: "freeze", target: aCoordinator },
    { weight: 4, kind: "freeze", target: aManager },
    { weight: 3, kind: "freeze", target: aWorker },
    { weight: 1, kind: "freeze", target: postgres },
    { weight: 2, kind: "restart", target: aCoordinator },
    { weight: 2, kind: "restart", target: aManager },
    { weight: 1, kind: "restart", target: postgres },
    { weight: 2, kind: "cut", target: aLink },
    { weight: 4, kind: "cut", target: aMachine },
    { weight: 3, kind: "cut", target: aDatabaseLink },
    { weight: 2, kind: "reset", target: aLink },
    { weight: 2, kind: "reset", target: aMachine },
    { weight: 2, kind: "reset", target: aDatabaseLink },
    { weight: 2, kind: "delay", target: aMachine },
    { weight: 2, kind: "delay", target: aDatabaseLink },
    ...(smallDisk === undefined
      ? []
      : [{ weight: 2, kind: "full-disk", target: (): Target => ({ _tag: "Manager", manager: smallDisk }) } as const]),
    ...(movableClocks === undefined
      ? []
      : [
          {
            weight: 2,
            kind: "clock-jump",
            target: (): Target => ({ _tag: "Coordinator", coordinator: movableClocks.coordinator })
          } as const,
          {
            weight: 2,
            kind: "clock-jump",
            target: (): Target => ({ _tag: "Manager", manager: movableClocks.manager })
          } as const
        ])
  ]
}

interface Length {
  readonly weight: number
  readonly from: number
  readonly to: number
}
type Lengths = readonly [Length, ...ReadonlyArray<Length>]

/** Short ones pass unnoticed, long ones have work handed on, the longest outlast every lease. */
const lengths: Lengths = [
  { weight: 3, from: 200, to: 2_000 },
  { weight: 4, from: 2_000, to: 8_000 },
  { weight: 3, from: 8_000, to: 20_000 }
]

/** All must wait while these last. */
const postgresLengths: Lengths = [
  { weight: 3, from: 200, to: 2_000 },
  { weight: 2, from: 2_000, to: 8_000 }
]

const jumps = [-7_200, -300, -45, 45, 300, 7_200] as const

/** What a fault occupies: none of it gets another fault before it is over. */
const occupies = (target: Target, { coordinators }: Shape): ReadonlyArray<string> => {
  switch (target._tag) {
    case "Coordinator":
      return [`coordinator ${target.coordinator}`]
    case "Manager":
      return [`manager ${target.manager}`]
    case "Worker":
      return [`worker ${target.manager} ${target.slot}`, `manager ${target.manager}`]
    case "Postgres":
      return ["postgres"]
    case "ManagerLink":
      return [`link ${target.manager} ${target.coordinator}`]
    case "Machine":
      return Array.from({ length: coordinators }, (_, place) => `link ${target.manager} ${place + 1}`)
    case "DatabaseLink":
      return [`database link ${target.coordinator}`]
  }
}

const lasting = (kind: Kind, target: Target, chance: Chance.Chance): number => {
  if (kind === "kill" || kind === "restart") return 0
  const { from, to } = target._tag === "Postgres" ? chance.weighted(postgresLengths) : chance.weighted(lengths)
  return Math.round(chance.between(from, to))
}

const amounting = (kind: Kind, chance: Chance.Chance): number =>
  kind === "delay" ? chance.whole(20, 1_500) : kind === "clock-jump" ? chance.one(jumps) : 0

/** Faults in order of time. All of them are over by the end, `minutes` after the beginning. */
export const make = (seed: number, minutes: number, shape: Shape): ReadonlyArray<Fault> => {
  const chance = Chance.make(seed, "faults")
  const of = choices(shape)
  const end = minutes * 60_000
  const busyUntil = new Map<string, number>()
  const faults: Array<Fault> = []
  for (let at = calm; at < end;) {
    const { kind, target: choose } = chance.weighted(of)
    const target = choose(chance)
    const lasts = lasting(kind, target, chance)
    const amount = amounting(kind, chance)
    const wait = Math.min(Math.max(-Math.log(1 - chance.next()) * gap.mean, gap.shortest), gap.longest)
    const parts = occupies(target, shape)
    if (at + lasts <= end && parts.every((part) => (busyUntil.get(part) ?? 0) <= at)) {
      faults.push({ at: Math.round(at), kind, target, lasts, amount })
      for (const part of parts) busyUntil.set(part, at + (lasts === 0 ? recovering : lasts + 1_000))
    }
    at += wait
  }
  return faults
}
