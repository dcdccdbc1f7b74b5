/**
 * Leases, assignments and cancellations that should have come to an end and have not.
 */
import * as Lease from "../Lease.ts"
import { leaseOf } from "../Suite/Spec.ts"
import type { LeaseTerms } from "../Suite/Spec.ts"
import * as Finding from "./Finding.ts"
import { few, plural, span } from "./Numbers.ts"

/** Tasks that are leased to a session that is over. */
export interface OrphanedLease {
  readonly suiteId: string
  readonly managerId: string
  readonly epoch: number
  readonly tasks: number
  /** Since when the session is over, in milliseconds; null: nothing is known of such a session. */
  readonly milliseconds: number | null
  /** What the suite says of machines that are cut off. */
  readonly terms: LeaseTerms
}

/** A suite that the pool believes a session to have. */
export interface OrphanedAssignment {
  readonly suiteId: string
  readonly managerId: string
  readonly epoch: number
  readonly milliseconds: number | null
  readonly terms: LeaseTerms
}

/** Tasks of a suite that were asked to end and still run. */
export interface Cancelling {
  readonly suiteId: string
  readonly tasks: number
  readonly milliseconds: number
}

export interface LeaseFacts {
  readonly leases: ReadonlyArray<OrphanedLease>
  readonly assignments: ReadonlyArray<OrphanedAssignment>
  readonly cancelling: ReadonlyArray<Cancelling>
}

const say = Finding.about("work")

/** What a session held is taken back within seconds of its end, or of its lease's. */
const reclaimedWithin = (terms: LeaseTerms): number => {
  const lease = leaseOf(terms)
  return 60_000 + (lease === undefined ? 0 : Lease.handOnAt(lease, 0))
}

/** Tasks end after their grace, which is seconds by default. */
const cancelledWithin = 300_000

const isOld = ({ milliseconds }: { readonly milliseconds: number | null }, limit: number) =>
  milliseconds === null || milliseconds >= limit

const session = ({ epoch, managerId }: { readonly managerId: string; readonly epoch: number }) =>
  `session ${epoch} of manager ${managerId}`

const since = (milliseconds: number | null) =>
  milliseconds === null ? "of which nothing is known" : `which is over since ${span(milliseconds)}`

export const judge = (facts: LeaseFacts): ReadonlyArray<Finding.Finding> => [
  ...leases(facts.leases),
  ...assignments(facts.assignments),
  ...cancelling(facts.cancelling)
]

const leases = (found: LeaseFacts["leases"]) => {
  const stuck = found.filter((lease) => isOld(lease, reclaimedWithin(lease.terms)))
  if (stuck.length === 0) return [say.ok("work.leases", "no lease is held by a session that is over")]
  return stuck.map((lease) =>
    say.error(
      "work.leases",
      `${plural(lease.tasks, "task")} of suite ${lease.suiteId} are leased to ${session(lease)}, ${since(lease.milliseconds)}`,
      `see that a coordinator runs (its log names the manager); \`muster admin rebuild --check\` tells whether only the rows are wrong`
    )
  )
}

const assignments = (found: LeaseFacts["assignments"]) => {
  const stuck = found.filter((assignment) => isOld(assignment, reclaimedWithin(assignment.terms)))
  if (stuck.length === 0) return [say.ok("work.assignments", "no suite is assigned to a session that is over")]
  return [
    say.warning(
      "work.assignments",
      `${plural(stuck.length, "suite")} are assigned to sessions that are over: ${few(
        stuck.map((assignment) => `${assignment.suiteId} to ${session(assignment)}`),
        3
      )}`,
      "see that a coordinator runs and what it logs of these managers; one that is restarted looks at them again"
    )
  ]
}

const cancelling = (found: LeaseFacts["cancelling"]) => {
  const stuck = found.filter((one) => isOld(one, cancelledWithin))
  if (stuck.length === 0) return [say.ok("work.cancelling", "no task takes long to be cancelled")]
  return stuck.map(({ milliseconds, suiteId, tasks }) =>
    say.warning(
      "work.cancelling",
      `${plural(tasks, "task")} of suite ${suiteId} were asked to end ${span(milliseconds)} ago and have not`,
      `\`muster task list --suite ${suiteId} --filter state=running\` names them and their managers: see whether these answer`
    )
  )
}
