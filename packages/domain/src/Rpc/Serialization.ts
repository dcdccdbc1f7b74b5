/**
 * How RPC messages look on every socket. Both ends must agree, so it is said once.
 *
 * Lines of JSON: a message can be read with the eye, and a task needs no tag that says whether it is a command or a
 * handler, as the binary form would want. Both are about equally fast, since strings make up most of a message.
 */
import { RpcSerialization } from "effect/rpc"

/** Largest message in bytes: a batch of tasks at its limit, with room. */
export const maxFrameSize = 64 * 1024 * 1024

export const layer = RpcSerialization.layerNdjsonWith({ maxBufferSize: maxFrameSize })
