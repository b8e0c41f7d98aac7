/**
 * The conformance kit in memory. Its protocol is in `rules.memory.test.ts`, beside the rules that are particular to it.
 */
import { it } from "@effect/vitest"
import { conformance, memoryStore } from "./conformance.ts"

conformance("memory", memoryStore, ["CacheBackend", "TagIndex", "LockStore", "fastPath", "hints", "intents"], it.effect)
conformance("memory", memoryStore, ["sharing"])
