/** The bundle of the command. */
export declare const bundle: string

/** Whether the bundle is there and no source has changed since it was made. */
export declare const isCurrent: () => boolean
