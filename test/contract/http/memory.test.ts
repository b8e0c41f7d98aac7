/**
 * The suites of cached responses in memory.
 */
import { CacheMemory } from "../../../src/index.ts"
import { answersSuite } from "./answers.suite.ts"
import { apiSuite } from "./api.suite.ts"
import { audienceSuite } from "./audience.suite.ts"
import { changesSuite } from "./changes.suite.ts"
import { suite } from "./cachedResponse.suite.ts"
import { requestsSuite } from "./requests.suite.ts"
import { routingSuite } from "./routing.suite.ts"
import { sharingSuite } from "./sharing.suite.ts"
import { standardSuite } from "./standard.suite.ts"
import { statusSuite } from "./status.suite.ts"

for (const each of [
  suite,
  sharingSuite,
  routingSuite,
  requestsSuite,
  audienceSuite,
  apiSuite,
  standardSuite,
  statusSuite,
  answersSuite,
  changesSuite
]) {
  each("memory", CacheMemory.layer())
  each("memory with copies", CacheMemory.layer({ isolation: "clone" }))
}
