/** Values are those of postgresql.conf. They are given at every start, so a newer Muster can change them. */
export type Settings = Readonly<Record<string, string>>

/**
 * For a small machine whose database is an event log: few connections that write much. What makes a commit durable stays
 * at Postgres's defaults and is written down only so that nobody has to look it up.
 */
export const defaults: Settings = {
  fsync: "on",
  synchronous_commit: "on",
  full_page_writes: "on",

  max_connections: "100",
  shared_buffers: "128MB",
  // Statements are short and simple: compiling them costs more than running them.
  jit: "off",
  autovacuum: "on",

  // Events are appended all day; fewer and larger checkpoints write fewer full pages.
  max_wal_size: "2GB",
  checkpoint_timeout: "15min",
  wal_compression: "on",

  timezone: "UTC",
  log_timezone: "UTC",
  log_line_prefix: "%m [%p] "
}

export const toArguments = (settings: Settings): ReadonlyArray<string> =>
  Object.entries(settings).flatMap(([name, value]) => ["-c", `${name}=${value}`])
