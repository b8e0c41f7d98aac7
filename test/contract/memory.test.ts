import { conformance, memoryStore } from "./conformance.ts"

conformance("memory", memoryStore, ["sharing"])
