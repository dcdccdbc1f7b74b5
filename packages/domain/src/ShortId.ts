/**
 * Short ids: 16 characters of Crockford's base 32, the first 9 from the clock (so that ids sort by age), the last 7
 * random (35 bits). Short enough to type, and `<suite id>.<index>` finds a task without a look-up.
 */
const alphabet = "0123456789abcdefghjkmnpqrstvwxyz"

/** What an id looks like. */
export const pattern = /^[0-9a-hjkmnp-tv-z]{16}$/

/** Makes an id from milliseconds since 1970 and a source of random numbers in [0, 1). */
export const make = (now: number, random: () => number): string => {
  let time = ""
  for (let i = 0, rest = now; i < 9; i++, rest = Math.floor(rest / 32)) time = alphabet.charAt(rest % 32) + time
  let tail = ""
  for (let i = 0; i < 7; i++) tail += alphabet.charAt(Math.floor(random() * 32))
  return time + tail
}
