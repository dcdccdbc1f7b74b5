/**
 * Where heartbeats are noted of managers whose actor lives in this process. A heartbeat of a session that is open and
 * connected here says nothing but that its manager lives, so it does not become a message: a thousand managers cost
 * little more than their sockets do.
 */
import { Context, Layer } from "effect"
import type { Epoch, ManagerId } from "@muster/domain/Manager/Id"
import type { HeartbeatReply } from "@muster/domain/Rpc/ManagerRpcs"

/** An actor that is content to be told when its manager was heard. */
export interface Listener {
  readonly managerId: ManagerId
  readonly epoch: Epoch
  readonly heard: () => HeartbeatReply
}

export class Heartbeats extends Context.Service<
  Heartbeats,
  {
    /** From now on this listener hears its manager, and no other one does. */
    readonly listen: (listener: Listener) => void
    /** Nothing is changed if another listener has taken its place. */
    readonly forget: (listener: Listener) => void
    /** Nothing: nobody here listens to this session. Its actor has to be asked, wherever it is. */
    readonly note: (managerId: ManagerId, epoch: Epoch) => HeartbeatReply | undefined
  }
>()("@muster/server/Heartbeats") {}

export const make = (): Heartbeats["Service"] => {
  const listeners = new Map<ManagerId, Listener>()
  return {
    listen: (listener) => {
      listeners.set(listener.managerId, listener)
    },
    forget: (listener) => {
      if (listeners.get(listener.managerId) === listener) listeners.delete(listener.managerId)
    },
    note: (managerId, epoch) => {
      const listener = listeners.get(managerId)
      return listener?.epoch === epoch ? listener.heard() : undefined
    }
  }
}

export const layer: Layer.Layer<Heartbeats> = Layer.sync(Heartbeats, make)
