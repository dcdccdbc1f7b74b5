import type { Migration } from "../Migration.ts"

/** What the sweep looks through: however many suites there were, only those that are not over. */
export const migration: Migration = {
  version: 6,
  name: "unfinished_suites",
  up: [`create index suites_unfinished_idx on suites (id) where completed_at is null`],
  down: [`drop index suites_unfinished_idx`]
}
