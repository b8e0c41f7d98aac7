/**
 * The contract of the primitives, over a real Redis.
 */
import { Effect } from "effect"
import { alone, conformance, redisStore } from "./conformance.ts"
import { sharedRedis } from "../support/client.ts"

conformance("Redis", redisStore(Effect.map(sharedRedis(), alone)), ["CacheBackend", "TagIndex", "LockStore", "hints"])
