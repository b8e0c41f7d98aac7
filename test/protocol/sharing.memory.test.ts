import { conformance, memoryStore } from "../services/conformance.ts"

conformance("memory", memoryStore, ["sharing"])
