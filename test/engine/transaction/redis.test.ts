import { Effect } from "effect"
import { CacheRedis } from "effect-cache/redis"
import { buildClient, freshNamespace, sharedRedis } from "../../support/client.ts"
import { acknowledged } from "./acknowledged.ts"
import { ends } from "./ends.ts"
import { levels } from "./levels.ts"
import { outliving } from "./outliving.ts"
import { reads } from "./reads.ts"

const server = sharedRedis()
const open = Effect.flatMap(server, ({ url }) =>
  buildClient(CacheRedis.layer({ url, namespace: freshNamespace(), timeout: "10 seconds" }), { lockTtl: "1 minute" })
)

reads(open)
ends(open)
levels(open)
outliving(open)
acknowledged(open)
