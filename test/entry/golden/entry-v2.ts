/**
 * Stored entries of format 2, which 0.1.0 writes, byte for byte. Programs out there hold such bytes: what would change one needs
 * another format. `golden.test.ts` says what to do then.
 */
import type { ParsedEntry } from "../../../src/CacheEntry.ts"

export interface Golden {
  readonly name: string
  /** How the payload is compressed. What a compressor gives may differ by version, so those are only decoded. */
  readonly compression: "none" | "gzip" | "zstd"
  readonly hex: string
  readonly entry: ParsedEntry
}

const rows = Array.from({ length: 40 }, (_, id) => ({ id, city: "Montréal" }))

export const goldens: ReadonlyArray<Golden> = [
  {
    name: "no tags",
    compression: "none",
    hex: "ec86062a99ba0e424001941f297c000000ea604148666f6f6261722d5f617b226964223a312c226e616d65223a224164" + "61227d",
    entry: {
      born: 1735689600123456,
      createdAt: 1735689600000,
      freshUntil: 1735689660000,
      loadMillis: 12.5,
      fingerprint: "Zm9vYmFyLV9h",
      tags: [],
      json: { id: 1, name: "Ada" }
    }
  },
  {
    name: "tags",
    compression: "none",
    hex:
      "ec96062a99ba0e424001941f297c000000ea604148666f6f6261722d5f61030575736572730b74656e616e743a61636d" +
      "65005b312c322c335d",
    entry: {
      born: 1735689600123456,
      createdAt: 1735689600000,
      freshUntil: 1735689660000,
      loadMillis: 12.5,
      fingerprint: "Zm9vYmFyLV9h",
      tags: ["users", "tenant:acme", ""],
      json: [1, 2, 3]
    }
  },
  {
    name: "unicode",
    compression: "none",
    hex:
      "ec95062a99ba0e424001941f297c000000ea604148666f6f6261722d5f610502c3a90631303025323506257544383030" +
      "04f09f8e8906efbbbf626f6d7b2274657874223a226e61c3af766520f09f8e89205c7564383030227d",
    entry: {
      born: 1735689600123456,
      createdAt: 1735689600000,
      freshUntil: 1735689660000,
      loadMillis: 12.5,
      fingerprint: "Zm9vYmFyLV9h",
      tags: ["é", "100%", "\ud800", "🎉", "\ufeffbom"],
      json: { text: "naïve 🎉 \ud800" }
    }
  },
  {
    name: "undefined, no schema, fresh for ever",
    compression: "none",
    hex: "ec8000000000000000000000000000ffffffff0000",
    entry: {
      born: 0,
      createdAt: 0,
      freshUntil: Infinity,
      loadMillis: 0,
      fingerprint: "",
      tags: [],
      json: undefined
    }
  },
  {
    name: "null",
    compression: "none",
    hex: "ec86062a99ba0e424001941f297c000000ea604148666f6f6261722d5f616e756c6c",
    entry: {
      born: 1735689600123456,
      createdAt: 1735689600000,
      freshUntil: 1735689660000,
      loadMillis: 12.5,
      fingerprint: "Zm9vYmFyLV9h",
      tags: [],
      json: null
    }
  },
  {
    name: "a fingerprint of another kind, the largest numbers",
    compression: "none",
    hex: "ec8a1ffffffffffffffffffffffffffffffffe3fc002763274727565",
    entry: {
      born: Number.MAX_SAFE_INTEGER,
      createdAt: 2 ** 48 - 1,
      freshUntil: 2 ** 48 - 1 + (2 ** 31 - 2) * 1000,
      loadMillis: 1.5,
      fingerprint: "v2",
      tags: [],
      json: true
    }
  },
  {
    name: "a tag of 254 bytes and one of 255",
    compression: "none",
    hex: "ec92000000000000010000000003e800000000000002fe" + "61".repeat(254) + "ff00ff" + "62".repeat(255) + "3020",
    entry: {
      born: 1,
      createdAt: 1000,
      freshUntil: 1000,
      loadMillis: 0,
      fingerprint: "",
      tags: ["a".repeat(254), "b".repeat(255)],
      json: 0
    }
  },
  {
    name: "gzip",
    compression: "gzip",
    hex:
      "ecb5062a99ba0e424001941f297c000000ea604148666f6f6261722d5f610106636974696573010000047f1f8b080000" +
      "00000004037dd0bb0d82001885d15dfe9ac27baff86007273014041a12a389a131868198c3c52c6ccd579fee5cdf354f" +
      "d5ed9a1ae7e5555d5d1ef7e5f9d9865badcdcf0466b080edc15ab003d811ec04760613c6d08ca8467423ca11ed887a44" +
      "3fa220d19069c834641a320d99864c43a621d39069c834141a0a0d85864243a1a1d050682834141acadfa1fe0b870911" +
      "dd7f040000",
    entry: {
      born: 1735689600123456,
      createdAt: 1735689600000,
      freshUntil: 1735689660000,
      loadMillis: 12.5,
      fingerprint: "Zm9vYmFyLV9h",
      tags: ["cities"],
      json: rows
    }
  },
  {
    name: "zstd",
    compression: "zstd",
    hex:
      "ecb5062a99ba0e424001941f297c000000ea604148666f6f6261722d5f610106636974696573020000047f28b52ffd60" +
      "7f035d040042840f19b0a903cc0943b2a96dda3d3334f572b9646b6d8a103da35301c9ffffff6fdbb66db76ddbd62888" +
      "4108eedec446a12aa839cfc1c5a8b185072c328c1212282080a3e2039f3097618c608e6119610ec318c11cc330c21cc3" +
      "32c21c8631327325328c444646644e448685c80888cc7dc8300f19e990010ef7854c28e1095928c20b59283ddc1e8b4e",
    entry: {
      born: 1735689600123456,
      createdAt: 1735689600000,
      freshUntil: 1735689660000,
      loadMillis: 12.5,
      fingerprint: "Zm9vYmFyLV9h",
      tags: ["cities"],
      json: rows
    }
  }
]
