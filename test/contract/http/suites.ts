/**
 * What holds of cached responses on every layer.
 */
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

export const suites = [
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
]
