import type { Migration } from "../Migration.ts"

/** The secret by which coordinators know each other (see `ClusterKey.ts`). The first of them fills it. */
export const migration: Migration = {
  version: 7,
  name: "cluster_key",
  up: [
    `create table cluster_key (
      only_one boolean primary key default true check (only_one),
      secret bytea not null check (octet_length(secret) = 32),
      created_at timestamptz not null default now()
    )`,
    // Who may read tables by default shall not read this one.
    `revoke all on cluster_key from public`
  ],
  down: [`drop table cluster_key`]
}
