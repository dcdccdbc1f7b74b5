/** Names that were probably meant to be others. */

/** Letters to insert, remove or replace to get from one text to the other. */
const distance = (a: string, b: string): number => {
  let before = Array.from({ length: b.length + 1 }, (_, place) => place)
  for (const [row, letter] of a.split("").entries()) {
    const now = [row + 1]
    for (const [column, other] of b.split("").entries()) {
      const replaced = (before[column] ?? 0) + (letter === other ? 0 : 1)
      now.push(Math.min(replaced, (before[column + 1] ?? 0) + 1, (now[column] ?? 0) + 1))
    }
    before = now
  }
  return before[b.length] ?? 0
}

/** So many wrong letters are still a slip. */
const slips = 2

const prefix = "MUSTER_"

/** Variables that are set and not known, and look like a known one that is not set. */
export const find = (
  environment: Readonly<Record<string, string | undefined>>,
  known: ReadonlyArray<string>
): ReadonlyArray<{ readonly name: string; readonly meant: string }> =>
  Object.keys(environment)
    .filter((name) => name.startsWith(prefix) && !known.includes(name))
    .flatMap((name) => {
      const meant = known.find((one) => environment[one] === undefined && distance(name, one) <= slips)
      return meant === undefined ? [] : [{ name, meant }]
    })
