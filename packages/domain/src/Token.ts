/**
 * Secrets that let somebody in. Shown once when they are made; only their hash is stored.
 */
import { Schema } from "effect"
import { Role } from "./Rpc/Authentication.ts"
import { Name } from "./Text.ts"
import { Instant } from "./Suite/View.ts"

export const TokenView = Schema.Struct({
  name: Name,
  role: Role,
  createdAt: Instant,
  expiresAt: Schema.NullOr(Instant)
})
export type TokenView = typeof TokenView.Type

/** A new token with its secret: the only time that it can be read. */
export const NewToken = Schema.Struct({ ...TokenView.fields, token: Schema.String })
export type NewToken = typeof NewToken.Type

export class TokenNameTaken extends Schema.TaggedError<TokenNameTaken>()(
  "TokenNameTaken",
  { name: Name },
  { httpApiStatus: 409 }
) {
  override get message() {
    return `there is a token named ${this.name} already; choose another name or revoke it first`
  }
}
