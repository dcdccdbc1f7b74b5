/** How tokens are shown: never with their secret. */
import type { TokenView } from "@muster/domain/Token"
import type { View } from "../Output.ts"
import * as Show from "../Show.ts"

export const view: View<TokenView> = {
  id: ({ name }) => name,
  columns: [
    { header: "NAME", value: ({ name }) => name, shrinks: true },
    { header: "ROLE", value: ({ role }) => role },
    { header: "CREATED", value: ({ createdAt }) => Show.instant(createdAt) },
    { header: "EXPIRES", value: ({ expiresAt }) => Show.instant(expiresAt), dispensable: 1 }
  ]
}
