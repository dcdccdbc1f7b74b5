/** Fresh data directories for `muster dev`. */
import { chmod, mkdtemp } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"

/**
 * As root, Postgres runs as another user. Where that one cannot pass through, `dev` keeps the database elsewhere, and the
 * test would leave it there.
 */
export const make = async (purpose: string): Promise<string> => {
  const directory = await mkdtemp(join(tmpdir(), `muster-${purpose}-`))
  await chmod(directory, 0o755)
  return directory
}
