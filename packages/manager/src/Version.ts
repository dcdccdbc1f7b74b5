/** The release that this manager belongs to, as it tells the coordinator. A test compares it with package.json. */
export const version = "0.1.0"
