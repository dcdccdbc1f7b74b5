/**
 * Addresses that only programs of the same machine can reach.
 */

const loopback4 = /^127(\.\d{1,3}){3}$/
const names: ReadonlySet<string> = new Set(["localhost", "::1", "[::1]", "0:0:0:0:0:0:0:1"])

/** Whether what is said to such a host, or heard there, stays on the machine. Names are not looked up. */
export const isLoopback = (host: string): boolean => names.has(host.toLowerCase()) || loopback4.test(host)
