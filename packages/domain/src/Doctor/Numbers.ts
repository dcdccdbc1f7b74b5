/** Numbers as findings show them. */

export const percent = (part: number, whole: number): string => `${Math.floor((100 * part) / whole)} %`

/** `4 ms`, `12 s`, `7 min`, `3 h`, `2 d`. */
export const span = (milliseconds: number): string => {
  const size = Math.abs(milliseconds)
  if (size < 1_000) return `${Math.round(milliseconds * 10) / 10} ms`
  for (const [limit, length, name] of [
    [60_000, 1_000, "s"],
    [3_600_000, 60_000, "min"],
    [86_400_000, 3_600_000, "h"]
  ] as const) {
    if (size < limit) return `${Math.round((milliseconds * 10) / length) / 10} ${name}`
  }
  return `${Math.round((milliseconds * 10) / 86_400_000) / 10} d`
}

export const plural = (count: number, noun: string): string => `${count} ${noun}${count === 1 ? "" : "s"}`

/** The first few of a list, and how many more there are. */
export const few = (texts: ReadonlyArray<string>, most = 5): string =>
  texts.length <= most ? texts.join(", ") : `${texts.slice(0, most).join(", ")} and ${texts.length - most} more`
