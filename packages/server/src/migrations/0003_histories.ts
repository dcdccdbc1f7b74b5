import type { Migration } from "../Migration.ts"

const id = `text collate "C"`

/** Tables of the subscriptions in `Projections/`. */
export const migration: Migration = {
  version: 3,
  name: "histories",
  up: [
    `create table manager_history (
       manager_id ${id} not null,
       version int not null,
       state ${id} not null,
       suite_id ${id},
       from_at timestamptz not null,
       to_at timestamptz,
       primary key (manager_id, version)
     )`,
    `create index manager_history_from_at_idx on manager_history (from_at)`,
    `create table throughput (
       minute timestamptz not null,
       outcome ${id} not null,
       tasks bigint not null,
       seconds double precision not null,
       primary key (minute, outcome)
     )`
  ],
  down: [`drop table throughput`, `drop table manager_history`]
}
