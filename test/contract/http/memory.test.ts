/**
 * The suites of cached responses in memory.
 */
import { CacheMemory } from "../../../src/index.ts"
import { suite } from "./cachedResponse.suite.ts"
import { requestsSuite } from "./requests.suite.ts"

suite("memory", CacheMemory.layer())
suite("memory with copies", CacheMemory.layer({ isolation: "clone" }))
requestsSuite("memory", CacheMemory.layer())
requestsSuite("memory with copies", CacheMemory.layer({ isolation: "clone" }))
