import { Effect } from "effect"
import { SqlClient } from "effect/sql/SqlClient"

/** The structure of the current schema as text: tables, columns, constraints, indexes, storage settings. */
export const schemaDump = Effect.gen(function* () {
  const sql = yield* SqlClient
  const rows = yield* sql<{ line: string }>`
    select format('table %s %s', c.relname, c.reloptions) as line
    from pg_class c where c.relnamespace = current_schema()::regnamespace and c.relkind = 'r'
    union all
    select format('column %s.%s %s %s %s %s %s %s %s', c.relname, a.attnum, a.attname, format_type(a.atttypid, a.atttypmod),
      a.attnotnull, a.attidentity, a.attstorage, a.attcollation::regcollation, pg_get_expr(d.adbin, d.adrelid))
    from pg_attribute a join pg_class c on c.oid = a.attrelid
    left join pg_attrdef d on d.adrelid = c.oid and d.adnum = a.attnum
    where c.relnamespace = current_schema()::regnamespace and c.relkind = 'r' and a.attnum > 0 and not a.attisdropped
    union all
    select format('constraint %s %s %s', conrelid::regclass, conname, pg_get_constraintdef(oid))
    from pg_constraint where connamespace = current_schema()::regnamespace
    union all
    select format('index %s', pg_get_indexdef(i.indexrelid))
    from pg_index i join pg_class c on c.oid = i.indexrelid where c.relnamespace = current_schema()::regnamespace
    order by line`
  return rows.map(({ line }) => line)
})
