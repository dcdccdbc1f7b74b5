/**
 * Errors that any command or query may meet. Each names the fact, and where there is one the way out.
 */
import { Schema } from "effect"

/** Input that does not fit: which field, what it was, what is allowed. Nothing was stored. */
export class InvalidInput extends Schema.TaggedError<InvalidInput>()(
  "InvalidInput",
  {
    /** Path of the field, such as `tasks[3].timeout`; empty for the whole input. */
    field: Schema.String,
    /** The value as JSON, cut after 200 characters. */
    value: Schema.String,
    expected: Schema.String
  },
  { httpApiStatus: 400 }
) {
  override get message() {
    const where = this.field === "" ? "the input" : this.field
    return `${where} is ${this.value}; allowed: ${this.expected}`
  }
}

/** The input is larger than the limit. Nothing was stored. */
export class TooLarge extends Schema.TaggedError<TooLarge>()(
  "TooLarge",
  { what: Schema.String, size: Schema.Int, limit: Schema.Int },
  { httpApiStatus: 413 }
) {
  override get message() {
    return `${this.what} is ${this.size}; at most ${this.limit} is allowed`
  }
}

/** The token is missing, wrong or not allowed to do this. */
export class Unauthorized extends Schema.TaggedError<Unauthorized>()(
  "Unauthorized",
  { reason: Schema.String },
  { httpApiStatus: 401 }
) {
  override get message() {
    return this.reason
  }
}

/** The request could not be carried out now and may be repeated as it is: the same command id does nothing twice. */
export class Unavailable extends Schema.TaggedError<Unavailable>()(
  "Unavailable",
  { reason: Schema.String },
  { httpApiStatus: 503 }
) {
  override get message() {
    return this.reason
  }
}
