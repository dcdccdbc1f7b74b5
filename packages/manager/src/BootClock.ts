/**
 * The clock that leases are counted by: milliseconds since the machine's start, those included in which it was suspended.
 * Only a duration between two readings on one machine means anything. Nobody can set it.
 *
 * Node's other clocks stand still while the machine sleeps (`performance.now`) or can be set (`Date.now`). What
 * `os.uptime` reads is `/proc/uptime` (libuv's `uv_uptime`), which is CLOCK_BOOTTIME in hundredths of a second; all
 * processes of a machine read the same.
 */
import { uptime } from "node:os"

export const now = (): number => Math.round(uptime() * 1_000)
