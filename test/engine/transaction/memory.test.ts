import { CacheMemory } from "effect-cache"
import { buildClient } from "../../support/client.ts"
import { acknowledged } from "./acknowledged.ts"
import { ends } from "./ends.ts"
import { levels } from "./levels.ts"
import { outliving } from "./outliving.ts"
import { reads } from "./reads.ts"

const open = buildClient(CacheMemory.layer({ isolation: "clone" }), { lockTtl: "1 minute" })

reads(open)
ends(open)
levels(open)
outliving(open)
acknowledged(open)
