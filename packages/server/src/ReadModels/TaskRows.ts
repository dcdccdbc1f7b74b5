/**
 * Tasks as rows, whether they have one or not. Those that are told apart stand in `tasks`; the plain ones are ranges, and
 * look as they would there: queued, or assigned to the session that has leased them for their first attempt.
 */

/** Columns of `tasks` that queries show, each with what it is for a plain task `p` (`index`, `manager`, `epoch`). */
const plain = {
  suite_id: "$1::text",
  index: "p.index",
  state: "(case when p.manager is null then 0 else 1 end)::smallint",
  attempt: "(case when p.manager is null then 0 else 1 end)::smallint",
  outcome: "null::smallint",
  exit_code: "null::int",
  signal: "null::text",
  started_at: "null::timestamptz",
  finished_at: "null::timestamptz",
  duration: "null::real",
  manager: "p.manager",
  epoch: "p.epoch",
  priority: "0",
  labels: "'{}'::text[]",
  retry_at: "null::timestamptz",
  cancel_requested: "false",
  message: "null::text",
  stdout: "null::text",
  stderr: "null::text",
  stdout_bytes: "null::bigint",
  stderr_bytes: "null::bigint",
  output: "null::jsonb",
  peak_memory: "null::bigint"
}

export type Column = keyof typeof plain

/** The labels of a row `t` of `tasks`: null stands for none. */
export const labels = "coalesce(t.labels, '{}')"

/** The columns of a row `t` of `tasks`. */
export const ofRow = (columns: ReadonlyArray<Column>): string =>
  columns.map((column) => (column === "labels" ? `${labels} as labels` : `t.${column}`)).join(", ")

/** The same columns of a plain task `p`. */
export const ofPlain = (columns: ReadonlyArray<Column>): string =>
  columns.map((column) => `${plain[column]} as ${column}`).join(", ")

/** One task of suite `$1` by its index `$2`. */
export const one = (columns: ReadonlyArray<Column>): string => `
  select ${ofRow(columns)} from tasks t where t.suite_id = $1 and t.index = $2
  union all
  select ${ofPlain(columns)} from (
    select $2::int as index, l.manager, l.epoch
    from suites s left join leases l on l.suite_id = s.id and l.tasks @> $2::int
    where s.id = $1 and s.plain @> $2::int
  ) p`

/** The submission `b` that a task came with: every task has one. */
export const submission = (index: string): string => `
  select b.first_index, b.version, b.submitted_at from submissions b
  where b.suite_id = $1 and b.first_index <= ${index} order by b.first_index desc limit 1`

/** How a list of plain tasks is asked for: the numbers of its parameters. */
export interface PlainPage {
  /** The window of indexes, as text of a multirange. */
  readonly window: string
  readonly wantsQueued: string
  readonly wantsAssigned: string
  /** Tasks at most. */
  readonly limit: string
}

/**
 * The first plain tasks of a suite `s` within a window, by index. However many there are: no more ranges than tasks are
 * asked for are looked into, and no more of each.
 */
export const plainPage = (columns: ReadonlyArray<Column>, page: PlainPage): string => {
  const { limit, wantsAssigned, wantsQueued } = page
  const window = `${page.window}::text::int4multirange`
  return `
    select ${ofPlain(columns)} from (
      select i as index, r.manager, r.epoch
      from (
        select * from (
          select range, null::text as manager, null::int as epoch
          from unnest((s.plain - coalesce(
            (select range_agg(l.tasks) from leases l where l.suite_id = $1), '{}'
          )) * ${window}) as range
          where ${wantsQueued}
          union all
          select range, l.manager, l.epoch from leases l, unnest(l.tasks * ${window}) as range
          where l.suite_id = $1 and ${wantsAssigned}
        ) u
        order by lower(range) limit ${limit}
      ) r, generate_series(lower(r.range), least(upper(r.range) - 1, lower(r.range) + ${limit} - 1)) as i
      order by i limit ${limit}
    ) p`
}
