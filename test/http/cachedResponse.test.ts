import { CacheMemory } from "../../src/index.ts"
import { suite } from "./cachedResponse.suite.ts"
suite("memory", CacheMemory.layer())
suite("memory with copies", CacheMemory.layer({ isolation: "clone" }))
