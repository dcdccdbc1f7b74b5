/**
 * Text that every part of the system can carry: kernel, JSON and Postgres.
 */
import { Schema } from "effect"

const isCarriable = Schema.makeFilter<string>(
  (text) => (text.includes("\0") || !text.isWellFormed() ? "text without NUL characters and lone surrogates" : true),
  { expected: "text without NUL characters and lone surrogates" }
)

/**
 * A string without NUL (no program argument and no Postgres text can hold one) and without lone surrogates (`jsonb`
 * refuses them). Refused at the edge, so that nothing behind it has to think of it.
 */
export const Text = Schema.String.check(isCarriable)

/** Text with at least one character. */
export const NonEmptyText = Schema.NonEmptyString.check(isCarriable)

/** A name that a person gives: 1 to 255 characters on one line. */
export const Name = NonEmptyText.check(
  Schema.isMaxLength(255, { expected: "a name of at most 255 characters" }),
  Schema.isPattern(/^[^\n\r]*$/, { expected: "a single line" })
)

/**
 * Names a command, so that it is done once however often it is sent. It stands under a key of the log: one that cannot be
 * stored would fail everything that is committed with it.
 */
export const CommandId = NonEmptyText.check(Schema.isMaxLength(128, { expected: "an id of at most 128 characters" }))

/** A tag or label: 1 to 128 characters without white space or commas (`key:value` by convention). */
export const Tag = NonEmptyText.check(
  Schema.isMaxLength(128, { expected: "a tag or label of at most 128 characters" }),
  Schema.isPattern(/^[^\s,]+$/, { expected: "text without white space and commas" })
)

/** A set of tags or labels, at most 64. */
export const Tags = Schema.Array(Tag).check(Schema.isMaxLength(64, { expected: "at most 64 tags or labels" }))

/** Makes any text carriable: what cannot be carried becomes U+FFFD. For output of programs, which may be anything. */
export const toCarriable = (text: string): string =>
  (text.includes("\0") ? text.replaceAll("\0", "\uFFFD") : text).toWellFormed()
