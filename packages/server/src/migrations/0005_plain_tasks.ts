import type { Migration } from "../Migration.ts"

const id = `text collate "C"`

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

const autovacuum = `
  autovacuum_vacuum_scale_factor = 0.05,
  autovacuum_vacuum_insert_scale_factor = 0.2,
  autovacuum_analyze_scale_factor = 0.1,
  autovacuum_vacuum_cost_delay = 1`

/** Columns that the table had before and has after in the same form. */
const kept = `state, attempt, priority, retry_at, cancel_requested, manager, epoch, started_at, finished_at, duration,
  outcome, exit_code, signal, stdout, stderr, stdout_bytes, stderr_bytes, output, peak_memory, message`

/** The range of a submission, as ranges of tasks are. */
const submitted = `int4multirange(int4range(b.first_index, b.last_index, '[]'))`

/**
 * Only tasks that are told apart have a row; the others are ranges. Which is which follows from all that happened to a
 * task and not from its last row, so the rows are made anew from the events.
 */
export const migration: Migration = {
  version: 5,
  name: "plain_tasks",
  rebuilds: ["suites"],
  up: [
    `alter table suites add column plain int4multirange not null default '{}'`,
    `create table submissions (
       suite_id ${id} not null,
       first_index int not null,
       last_index int not null,
       version int not null,
       submitted_at timestamptz not null,
       primary key (suite_id, first_index)
     )`,
    `create table leases (
       suite_id ${id} not null,
       manager ${id} not null,
       epoch int not null,
       tasks int4multirange not null,
       primary key (suite_id, manager, epoch)
     ) with (fillfactor = 50)`,
    `drop table tasks`,
    // Wide columns first, and null for no labels: 24 bytes a row less than otherwise. Rows are mostly written once, so pages
    // are filled; what is updated later has its state in an index, and finds no use for room beside it.
    `create table tasks (
       started_at timestamptz,
       finished_at timestamptz,
       retry_at timestamptz,
       stdout_bytes bigint,
       stderr_bytes bigint,
       peak_memory bigint,
       index int not null,
       priority int not null default 0,
       epoch int,
       duration real,
       exit_code int,
       state smallint not null,
       attempt smallint not null default 0,
       outcome smallint,
       cancel_requested boolean not null default false,
       suite_id ${id} not null,
       manager ${id},
       signal text,
       stdout text,
       stderr text,
       message text,
       output jsonb,
       labels text[],
       primary key (suite_id, index)
     ) with (${autovacuum})`,
    // Most tasks succeed and are never touched again. Those that did not are few, and are what people look for; a row that
    // is inserted as succeeded (3) costs this index nothing.
    `create index tasks_not_succeeded_idx on tasks (suite_id, state, index) where state <> 3`
  ],
  down: [
    // A copy, not the renamed table: its constraints would keep their names, which the new one's are to have.
    `create table tasks_apart as select * from tasks`,
    `create index tasks_apart_idx on tasks_apart (suite_id, index)`,
    `drop table tasks`,
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
     ) with (fillfactor = 30, ${autovacuum})`,
    // From submissions to tasks, in this order: the other way round each task would look at all submissions of its suite.
    `insert into tasks (suite_id, index, spec_version, submitted_at, labels, ${kept})
     select b.suite_id, t.index, b.version, b.submitted_at, coalesce(t.labels, '{}'), ${kept}
     from submissions b cross join lateral (
       select * from tasks_apart a
       where a.suite_id = b.suite_id and a.index between b.first_index and b.last_index offset 0
     ) t`,
    // When a task was leased was written, and never read: it is not known any more.
    `insert into tasks (suite_id, index, spec_version, submitted_at, state, attempt, manager, epoch)
     select b.suite_id, i, b.version, b.submitted_at, t.state, t.state, t.manager, t.epoch
     from submissions b cross join lateral (
       select unnest(l.tasks * ${submitted}) as range, 1 as state, l.manager, l.epoch
       from leases l where l.suite_id = b.suite_id
       union all
       select unnest(s.plain * ${submitted} - coalesce(
         (select range_agg(l.tasks) from leases l where l.suite_id = b.suite_id), '{}'
       )), 0, null, null
       from suites s where s.id = b.suite_id
     ) t, generate_series(lower(t.range), upper(t.range) - 1) as i`,
    `drop table tasks_apart`,
    `drop table leases`,
    `drop table submissions`,
    `alter table suites drop column plain`
  ]
}
