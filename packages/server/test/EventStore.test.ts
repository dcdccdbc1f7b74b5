import { Layer } from "effect"
import { layerMemory } from "../src/MemoryEventStore.ts"
import * as PgEventStore from "../src/PgEventStore.ts"
import { eventStoreSuite } from "./support/EventStoreSuite.ts"
import * as Muster from "./support/Muster.ts"

eventStoreSuite("the event store in memory", layerMemory)
eventStoreSuite("the event store in Postgres", PgEventStore.layer.pipe(Layer.provide(Muster.layer)))
