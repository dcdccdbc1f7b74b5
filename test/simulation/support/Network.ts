/**
 * Connections between processes, with what happens to them: each message takes its time, a link may be slow, cut (what was
 * sent waits, as TCP would have it, and comes when the cut is healed) or reset (connections break, and what was on its way
 * is lost). Within one connection the order is kept; between connections, and so between a connection and the one that
 * takes its place, it is not.
 */
import type { Host } from "./Host.ts"
import type { World } from "./World.ts"

interface Link {
  isCut: boolean
  /** Times that a message takes. */
  slowness: number
  waiting: Array<() => void>
}

interface Acceptor {
  readonly host: Host
  readonly accept: (endpoint: Endpoint) => void
}

/** One end of a connection. What is called is called in a step of the process that it belongs to. */
export class Endpoint {
  readonly host: Host
  /** Name of the machine at the other end. */
  readonly to: string
  peer: Endpoint | undefined
  state: "connecting" | "open" | "closed" = "connecting"
  onOpen: () => void = () => {}
  onMessage: (message: unknown) => void = () => {}
  onClose: (reason: string) => void = () => {}
  /** When the last message to the other end arrives. */
  arrival = 0
  private readonly network: Network
  private unsent: Array<unknown> = []
  private isClosedHere = false
  private readonly forget: () => void

  constructor(network: Network, host: Host, to: string) {
    this.network = network
    this.host = host
    this.to = to
    this.forget = host.whenDead(() => this.close())
    network.endpoints.add(this)
  }

  send(message: unknown): void {
    this.network.show(this, message)
    if (this.state === "connecting") this.unsent.push(message)
    else if (this.state === "open") {
      const { peer } = this
      if (peer !== undefined) this.network.carry(this, () => peer.receive(message))
    }
  }

  opened(): void {
    if (this.state !== "connecting") return
    this.state = "open"
    const { unsent } = this
    this.unsent = []
    for (const message of unsent) this.send(message)
    this.host.post(() => this.onOpen())
  }

  private receive(message: unknown): void {
    if (this.state !== "open") return
    // What has arrived is read, also when the other end has closed the connection meanwhile.
    this.host.post(() => {
      if (!this.isClosedHere) this.onMessage(message)
    })
  }

  /** Ends it from here: the other end hears of it after all that was sent before. */
  close(): void {
    if (this.state === "closed") return
    const { peer } = this
    if (peer !== undefined) this.network.carry(this, () => peer.closed("the other end closed the connection"))
    this.isClosedHere = true
    this.end()
  }

  /** It broke, or the other end closed it. */
  closed(reason: string): void {
    if (this.state === "closed") return
    this.end()
    this.host.post(() => this.onClose(reason))
  }

  private end(): void {
    this.state = "closed"
    this.unsent = []
    this.forget()
    this.network.endpoints.delete(this)
  }
}

/** What the network does by itself now and then: a packet that has to be sent again. */
const lateMessage = { probability: 0.01, from: 50, to: 800 }

/** Characters of a frame that are shown. */
const shownFrame = 400

export class Network {
  readonly world: World
  readonly endpoints = new Set<Endpoint>()
  private readonly links = new Map<string, Link>()
  private readonly acceptors = new Map<string, Acceptor>()

  private readonly showsFrames: boolean

  constructor(world: World, showsFrames = false) {
    this.world = world
    this.showsFrames = showsFrames
  }

  show(from: Endpoint, message: unknown): void {
    if (!this.showsFrames) return
    this.world.tell?.(`${from.host.name} -> ${from.to}: ${String(message).trimEnd().slice(0, shownFrame)}`)
  }

  /** Takes connections to a port of this process's machine until it dies. */
  listen(host: Host, port: string, accept: (endpoint: Endpoint) => void): () => void {
    const address = `${host.name}:${port}`
    const acceptor: Acceptor = { host, accept }
    const stop = () => {
      if (this.acceptors.get(address) === acceptor) this.acceptors.delete(address)
    }
    this.acceptors.set(address, acceptor)
    host.whenDead(stop)
    return stop
  }

  connect(host: Host, to: string, port: string, timeout: number): Endpoint {
    const endpoint = new Endpoint(this, host, to)
    const giveUp = this.world.after(timeout, () => {
      if (endpoint.state === "connecting") endpoint.closed("timeout")
    })
    this.carryBetween(host.name, to, endpoint, () => {
      const acceptor = this.acceptors.get(`${to}:${port}`)
      if (endpoint.state !== "connecting") return
      if (acceptor === undefined) {
        this.carryBetween(to, host.name, undefined, () => endpoint.closed("connection refused"))
        return
      }
      const peer = new Endpoint(this, acceptor.host, host.name)
      endpoint.peer = peer
      peer.peer = endpoint
      // The system of the other machine answers, whether or not the process does anything.
      acceptor.host.post(() => acceptor.accept(peer))
      peer.opened()
      this.carryBetween(to, host.name, undefined, () => {
        giveUp()
        endpoint.opened()
      })
    })
    return endpoint
  }

  /** Takes something from one end to the other. */
  carry(from: Endpoint, deliver: () => void): void {
    this.carryBetween(from.host.name, from.to, from, deliver)
  }

  /** `order`: keeps what arrives for it in the order in which it was sent. */
  carryBetween(from: string, to: string, order: { arrival: number } | undefined, deliver: () => void): void {
    const link = this.link(from, to)
    const { random } = this.world
    let takes = from === to ? 0.05 : random.between(0.1, 1.5) * link.slowness
    if (from !== to && random.chance(lateMessage.probability)) takes += random.between(lateMessage.from, lateMessage.to)
    let at = this.world.now + takes
    if (order !== undefined) {
      at = Math.max(at, order.arrival)
      order.arrival = at
    }
    const attempt = () => {
      if (link.isCut) link.waiting.push(attempt)
      else deliver()
    }
    this.world.after(at - this.world.now, attempt)
  }

  cut(one: string, other: string): void {
    this.link(one, other).isCut = true
  }

  heal(one: string, other: string): void {
    const link = this.link(one, other)
    if (!link.isCut) return
    link.isCut = false
    const { waiting } = link
    link.waiting = []
    for (const attempt of waiting) attempt()
  }

  slow(one: string, other: string, slowness: number): void {
    this.link(one, other).slowness = slowness
  }

  /** Breaks all connections between two machines: both ends see it at once, and what was on its way is gone. */
  reset(one: string, other: string): void {
    for (const endpoint of this.endpoints) {
      if (endpoint.host.name === one && endpoint.to === other) {
        endpoint.peer?.closed("connection reset")
        endpoint.closed("connection reset")
      } else if (endpoint.host.name === other && endpoint.to === one) {
        endpoint.peer?.closed("connection reset")
        endpoint.closed("connection reset")
      }
    }
  }

  healAll(): void {
    for (const [name, link] of this.links) {
      const [one = "", other = ""] = name.split("|")
      link.slowness = 1
      this.heal(one, other)
    }
  }

  private link(one: string, other: string): Link {
    const name = one < other ? `${one}|${other}` : `${other}|${one}`
    let link = this.links.get(name)
    if (link === undefined) {
      link = { isCut: false, slowness: 1, waiting: [] }
      this.links.set(name, link)
    }
    return link
  }
}
