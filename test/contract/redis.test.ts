/**
 * The conformance kit on a real Redis. Its protocol is in `rules.redis.test.ts`, beside the rules that are particular to it.
 */
import { Effect } from "effect"
import { alone, conformance, redisStore } from "./conformance.ts"
import { sharedRedis } from "../support/client.ts"

conformance("Redis", redisStore(Effect.map(sharedRedis(), alone)), [
  "CacheBackend",
  "TagIndex",
  "LockStore",
  "fastPath",
  "hints",
  "intents",
  "sharing"
])
