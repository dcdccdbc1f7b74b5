import type { Migration } from "../Migration.ts"

/** Lists of suites begin with the newest. Neither column ever changes, so updates of a suite's row stay within its page. */
export const migration: Migration = {
  version: 4,
  name: "newest_suites",
  up: [`create index suites_newest_idx on suites (created_at desc, id desc)`],
  down: [`drop index suites_newest_idx`]
}
