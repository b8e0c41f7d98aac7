/**
 * `docs/limits.md` has the numbers of the sources: a bound that changes there has to change here.
 */
import { readFileSync } from "node:fs"
import { assert, describe, it } from "@effect/vitest"
import { root } from "./snippets.ts"

const read = (file: string): string => readFileSync(root + file, "utf8")
const page = read("docs/limits.md").split("\n")

const MiB = 1_048_576
const minute = 60_000
const hour = 60 * minute

/** The constants of the sources: where each is, what it is there, the row of the page that has it, and as what. */
const bounds: ReadonlyArray<readonly [file: string, name: string, value: number, row: string, text: string]> = [
  ["key/encoding.ts", "maxKeyBytes", 512, "a key", "512 bytes"],
  ["key/canonicalArguments.ts", "maxDepth", 64, "arguments of", "64 levels"],
  ["key/canonicalArguments.ts", "maxSize", 16_777_216, "arguments of", "16,777,216"],
  ["key/canonicalArguments.ts", "objectSize", 16, "arguments of", "counts 16"],
  ["CacheKey.ts", "maxRecent", 256, "templates that", "256"],
  ["entry/layout.ts", "MAX_TAGS", 65_535, "tags of an entry in Redis", "65,535"],
  ["entry/layout.ts", "MAX_TAG_BYTES", 65_535, "bytes of a tag", "65,535"],
  ["entry/layout.ts", "MAX_PAYLOAD_BYTES", 64 * MiB, "the JSON of a value", "64 MiB"],
  ["platform/nodeCompressor.ts", "MAX_RATIO", 1_100, "what is unpacked", "1,100 times"],
  ["engine/knownTags.ts", "rememberedKeys", 16_384, "keys whose tags", "16,384"],
  ["engine/knownTags.ts", "rememberedTags", 64, "keys whose tags", "64 tags"],
  ["engine/store.ts", "knownTagsMax", 1_000, "markers asked for", "1,000"],
  ["engine/copy.ts", "valuesMax", 50_000, "a copy without", "50,000 values"],
  ["engine/copy.ts", "sizeMax", 8 * MiB, "a copy without", "8 MiB"],
  ["engine/copy.ts", "depthMax", 500, "a copy without", "500 levels"],
  ["engine/many.ts", "readStep", 1_024, "keys of `getMany`", "1,024"],
  ["stores/memory/primitives.ts", "LIST_STEP", 2_048, "keys or tags of an invalidation", "2,048"],
  ["internal/inSteps.ts", "stepSize", 256, "the same on Redis", "256"],
  ["stores/guard/guard.ts", "replicatedStep", 8_192, "the same on Redis", "8,192"],
  ["stores/redis/scan.ts", "scanCount", 1_000, "keys that one `SCAN`", "1,000"],
  ["stores/redis/scan.ts", "unlinkBatch", 512, "keys that one `SCAN`", "512"],
  ["engine/patience.ts", "leastDefaultMillis", 30_000, "how long `stampedeProtect`", "31 seconds"],
  ["stores/redis/hints.ts", "maxChannels", 10_000, "keys of one process", "10,000"],
  ["engine/fly.ts", "lastPollMillis", 250, "keys of one process", "250 ms"],
  ["engine/suspects.ts", "maxSuspects", 10_000, "leases that stand", "10,000"],
  ["engine/orphans.ts", "maxOrphans", 10_000, "leases to be given back", "10,000"],
  ["protocol/lease.ts", "maxListed", 128, "writes of one key", "128"],
  ["engine/transaction/transaction.ts", "maxHeld", 1_000, "keys that a transaction", "1,000"],
  ["stores/redis/lockStore.ts", "fenceMillis", 7 * 24 * hour, "a fence", "a week"],
  ["engine/close.ts", "maxMillis", 5_000, "closing a client", "5 seconds"],
  ["protocol/intent.ts", "maxItems", 1_000, "items of one write", "1,000"],
  ["protocol/intent.ts", "maxText", 65_536, "text of one write", "64 KiB"],
  ["engine/intents.ts", "perRound", 100, "a sweep", "100 intents"],
  ["engine/intents.ts", "maxRounds", 100, "a sweep", "100 times"],
  ["stores/redis/intentScripts.ts", "keptMillis", hour, "how long an intent", "an hour"],
  ["stores/redis/commands.ts", "maxMillis", 100 * 365 * 24 * hour, "a TTL in Redis", "100 years"],
  ["stores/redis/wire/outbox.ts", "inFlightMax", 1_000, "commands of callers", "1,000"],
  ["stores/redis/nodes/cluster.ts", "maxConnections", 2_000, "nodes of a cluster", "2,000"],
  ["stores/redis/nodes/cluster.ts", "maxHops", 5, "nodes of a cluster", "5 redirections"],
  ["layers/assemble.ts", "spareEntries", 1_000, "values kept while", "1,000 entries"],
  ["engine/read.ts", "sharedMaxAgeMillis", 1_000, "values kept while", "1 second"],
  ["observe/stats.ts", "maxRegions", 1_000, "regions in the statistics", "1,000"],
  ["observe/stats.ts", "maxLabels", 10_000, "labels of regions", "10,000"],
  ["observe/warnings.ts", "minuteMillis", minute, "warnings", "a minute"],
  ["observe/warnings.ts", "maxKinds", 50, "warnings", "50 kinds"],
  ["schema/issue.ts", "maxText", 300, "what a warning quotes", "300"],
  ["region/checks.ts", "minLeaseMillis", 10, "a lease, a lock", "10 ms"],
  ["region/checks.ts", "maxLeaseMillis", 24 * hour, "a lease, a lock", "a day"]
]

/** A product of numbers, as constants are written. */
const product = (text: string): number =>
  text.split("*").reduce((all, factor) => all * Number(factor.replaceAll("_", "").trim()), 1)

describe("docs/limits.md", () => {
  for (const [file, name, value, row, text] of bounds) {
    it(`${file}: ${name}`, () => {
      const [, found] = new RegExp(`const ${name} = ([0-9][0-9a-fx_ *]*)`).exec(read(`src/${file}`)) ?? []
      assert.strictEqual(product(found ?? "?"), value)
      const line = page.find((line) => line.startsWith(`| ${row}`))
      assert.include(line ?? "no such row", text)
    })
  }
})
