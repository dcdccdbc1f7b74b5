import { randomInt } from "node:crypto"
import { ManagerId } from "@muster/domain/Manager/Id"
import * as ShortId from "@muster/domain/ShortId"
import { SuiteId } from "@muster/domain/Suite/Id"

const random = () => randomInt(2 ** 32) / 2 ** 32

export const newSuiteId = (): SuiteId => SuiteId.make(ShortId.make(Date.now(), random))
export const newManagerId = (): ManagerId => ManagerId.make(ShortId.make(Date.now(), random))
