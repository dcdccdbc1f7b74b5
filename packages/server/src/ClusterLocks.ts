/**
 * The advisory locks by which coordinators know of each other: one for the presence of each, one for each shard. Their names
 * contain the schema, since they are shared by all schemas of a database. All coordinators of a cluster must agree on them.
 */

/** The first of the two numbers that name an advisory lock (FNV-1a, in the positive half). */
const namespace = (name: string): number => {
  let hash = 0x811c9dc5
  for (const byte of new TextEncoder().encode(name)) hash = Math.imul(hash ^ byte, 0x01000193)
  return hash & 0x7fffffff
}

/** The names of the locks of one Muster. */
export const of = (schema: string) => ({
  coordinators: namespace(`muster coordinators of ${schema}`),
  shards: namespace(`muster shards of ${schema}`)
})

/** `pg_locks` narrowed to the locks under a namespace that somebody holds. */
export const granted = (space: number) => `
  locktype = 'advisory' and granted and objsubid = 2 and classid = ${space}
  and database = (select oid from pg_database where datname = current_database())`

/** The second of the two numbers, which is signed for who takes the lock and not for who looks at it. */
export const number = "objid::int8::int4"
