/**
 * What a handler may give back, besides what its schema says: it travels in messages and ends up in Postgres.
 */
import type { Schema } from "effect"

/** Characters of all texts and names together. Larger things belong into a file or a store. */
const maxSize = 1024 * 1024

/** Arrays and objects inside each other. */
const maxDepth = 128

/** Why a value cannot be carried, or nothing if it can. */
export const refuse = (value: Schema.Json): string | undefined => {
  // What most handlers give is decided without a walk.
  if (value === null || typeof value === "boolean" || typeof value === "number") return undefined
  let size = 0
  const text = (part: string): string | undefined => {
    size += part.length
    if (part.includes("\0") || !part.isWellFormed()) return "contains text with NUL characters or lone surrogates"
    return undefined
  }
  const walk = (part: Schema.Json, depth: number): string | undefined => {
    if (size > maxSize) return `is larger than ${maxSize} characters`
    if (typeof part === "string") return text(part)
    size++
    if (part === null || typeof part !== "object") return undefined
    if (depth > maxDepth) return `is nested deeper than ${maxDepth} levels`
    for (const [name, inner] of Object.entries(part)) {
      const problem = (Array.isArray(part) ? undefined : text(name)) ?? walk(inner, depth + 1)
      if (problem !== undefined) return problem
    }
    return undefined
  }
  return walk(value, 0) ?? (size > maxSize ? `is larger than ${maxSize} characters` : undefined)
}
