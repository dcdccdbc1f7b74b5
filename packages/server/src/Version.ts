/** The release that this coordinator belongs to. A test compares it with package.json. */
export const version = "0.1.0"
