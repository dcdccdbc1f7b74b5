/** Values as tables show them. */
import * as ByteSize from "@muster/domain/ByteSize"

/** `2026-11-20T23:10:48Z`: whole seconds are enough for reading. JSON has the milliseconds. */
export const instant = (time: string | null): string => (time === null ? "" : time.replace(/\.\d+Z$/, "Z"))

const pad = (value: number) => String(value).padStart(2, "0")

/** `8.31ms`, `1.25s`, `2m03s`, `3h04m`. */
export const duration = (millis: number | null): string => {
  if (millis === null) return ""
  if (millis < 1_000)
    return `${millis < 10 ? millis.toFixed(2) : millis < 100 ? millis.toFixed(1) : Math.round(millis)}ms`
  const seconds = millis / 1_000
  if (seconds < 60) return `${seconds < 10 ? seconds.toFixed(2) : seconds.toFixed(1)}s`
  const whole = Math.round(seconds)
  if (whole < 3_600) return `${Math.floor(whole / 60)}m${pad(whole % 60)}s`
  return `${Math.floor(whole / 3_600)}h${pad(Math.floor((whole % 3_600) / 60))}m`
}

export const bytes = (size: number | null): string => (size === null ? "" : ByteSize.rounded(size))

/** `1,234,567`. */
export const count = (value: number): string => String(value).replaceAll(/\B(?=(\d{3})+$)/g, ",")

/** Tasks per second: `9.4`, `1,870`. */
export const rate = (perSecond: number): string =>
  perSecond < 10 ? perSecond.toFixed(1) : count(Math.round(perSecond))

/** How an attempt ended: `0`, `1`, `SIGKILL`, `timed out`. */
export const ending = (task: {
  readonly exitCode: number | null
  readonly signal: string | null
  readonly outcome: string | null
}): string => {
  if (task.outcome === "timed_out" || task.outcome === "not_started") return task.outcome.replace("_", " ")
  if (task.signal !== null) return task.signal
  if (task.exitCode !== null) return String(task.exitCode)
  return task.outcome ?? ""
}

/** `3 tasks`, `1 task`. */
export const plural = (number: number, noun: string): string => `${count(number)} ${noun}${number === 1 ? "" : "s"}`

/** Text on one line: control characters would move the cursor or change colours. */
export const line = (text: string): string =>
  // oxlint-disable-next-line no-control-regex -- those are what it is about
  text.replaceAll(/[\u0000-\u001F\u007F-\u009F]+/g, " ").trim()
