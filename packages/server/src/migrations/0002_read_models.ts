import type { Migration } from "../Migration.ts"

const id = `text collate "C"`

/** How an attempt went: the same in the task's row (latest attempt) and in `attempts` (those before). */
const attempt = `
  manager ${id},
  epoch int,
  started_at timestamptz,
  finished_at timestamptz,
  duration real,
  outcome smallint,
  exit_code int,
  signal text,
  stdout text,
  stderr text,
  stdout_bytes bigint,
  stderr_bytes bigint,
  output jsonb,
  peak_memory bigint,
  message text`

export const migration: Migration = {
  version: 2,
  name: "read_models",
  up: [
    `create table suites (
       id ${id} primary key,
       name text,
       description text,
       tags text[] not null default '{}',
       labels text[] not null default '{}',
       priority int not null default 0,
       workers int,
       max_fails int,
       spec jsonb not null,
       state ${id} not null,
       paused boolean not null default false,
       total int not null default 0,
       queued int not null default 0,
       assigned int not null default 0,
       running int not null default 0,
       succeeded int not null default 0,
       failed int not null default 0,
       cancelled int not null default 0,
       created_at timestamptz not null,
       last_submitted_at timestamptz,
       completed_at timestamptz,
       version int not null
     ) with (fillfactor = 50)`,
    // Every task is updated two or three times soon after its insert, and grows when its result comes. The room that the
    // fill factor leaves, and no index on a column that changes, keep these updates within the page without touching an
    // index (HOT): at 70 four of ten did, at 30 nine of ten, and leasing takes half the time. The table ends up as large
    // either way. A partial index on the state would undo all of it, since its condition names the column.
    `create table tasks (
       suite_id ${id} not null,
       index int not null,
       state smallint not null,
       attempt smallint not null default 0,
       priority int not null default 0,
       labels text[] not null default '{}',
       spec_version int not null,
       submitted_at timestamptz not null,
       leased_at timestamptz,
       retry_at timestamptz,
       cancel_requested boolean not null default false,
       ${attempt},
       primary key (suite_id, index)
     ) with (
       fillfactor = 30,
       autovacuum_vacuum_scale_factor = 0.05,
       autovacuum_vacuum_insert_scale_factor = 0.2,
       autovacuum_analyze_scale_factor = 0.1,
       autovacuum_vacuum_cost_delay = 1
     )`,
    `create table attempts (
       suite_id ${id} not null,
       index int not null,
       number smallint not null,
       ${attempt},
       primary key (suite_id, index, number)
     )`,
    `create table late_results (
       suite_id ${id} not null,
       version int not null,
       ordinal int not null,
       index int not null,
       attempt smallint not null,
       manager ${id} not null,
       epoch int not null,
       at timestamptz not null,
       data jsonb not null,
       primary key (suite_id, version, ordinal)
     )`,
    `create table managers (
       id ${id} primary key,
       name text not null,
       tags text[] not null default '{}',
       labels text[] not null default '{}',
       workers int not null,
       version text not null,
       host jsonb not null,
       state ${id} not null,
       epoch int not null,
       suite_id ${id},
       draining boolean not null default false,
       connected boolean not null,
       connected_at timestamptz,
       updated_at timestamptz not null,
       stream_version int not null
     ) with (fillfactor = 50)`,
    `create table workers (
       id ${id} primary key,
       manager_id ${id} not null,
       slot int not null,
       pid int,
       state ${id} not null,
       crashes int not null default 0,
       last_exit_code int,
       last_signal text,
       started_at timestamptz,
       updated_at timestamptz not null
     ) with (fillfactor = 50)`,
    `create index workers_manager_id_idx on workers (manager_id)`,
    `create table tokens (
       name ${id} primary key,
       role ${id} not null,
       hash bytea not null,
       created_at timestamptz not null default now(),
       expires_at timestamptz
     )`,
    `create unique index tokens_hash_key on tokens (hash)`
  ],
  down: ["tokens", "workers", "managers", "late_results", "attempts", "tasks", "suites"].map(
    (table) => `drop table ${table}`
  )
}
