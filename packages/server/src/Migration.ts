/** One step of the database's structure. Released steps are never changed: a later step corrects an earlier one. */
export interface Migration {
  /** From 1 without gaps. */
  readonly version: number
  readonly name: string
  /** Single statements, run in order in one transaction. Names have no schema: the search path says where they go. */
  readonly up: ReadonlyArray<string>
  /**
   * Names of read models in `Projections/Inline.ts` that are made anew from the events after the step: it empties tables of
   * theirs, or adds what only the events can tell.
   */
  readonly rebuilds?: ReadonlyArray<string>
  /** Undoes `up`, data included. */
  readonly down: ReadonlyArray<string>
}
