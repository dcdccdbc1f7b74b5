/** Shows one manager. */
import { Effect } from "effect"
import type { ManagerView } from "@muster/domain/Manager/View"
import * as Output from "../../Output.ts"
import * as Session from "../../Session.ts"
import * as Table from "../../Table.ts"
import * as Machines from "../../views/Machines.ts"

export const show = (manager: ManagerView) =>
  Effect.flatMap(Session.format, (format) =>
    Output.one(format, Machines.managers, manager, (item, paint) =>
      Table.renderFields(Machines.managerFields(item), paint)
    )
  )
