/**
 * The suites of cached responses on a real Redis.
 */
import { Effect, Layer } from "effect"
import { CacheRedis } from "../../../src/redis/index.ts"
import { freshNamespace, sharedRedis } from "../../support/client.ts"
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

const server = sharedRedis()

const anew = Layer.suspend(() => {
  const namespace = freshNamespace()
  return Layer.fresh(
    Layer.unwrap(Effect.map(server, ({ url }) => CacheRedis.layer({ url, namespace, timeout: "5 seconds" })))
  )
})

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
])
  each("Redis", anew)
