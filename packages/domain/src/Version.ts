/** The release of Muster that this is. A test compares it with package.json. */
export const version = "0.1.0"
