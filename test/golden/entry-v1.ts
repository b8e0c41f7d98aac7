/**
 * Stored entries, byte for byte. Programs out there hold such bytes: a change here needs another format version.
 */
import type { ParsedEntry } from "../../src/CacheEntry.ts"

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
    hex:
      "ec0102004318aa66e8390900427941f297c00000427941f2a6660000414800000c5a6d3976596d46794c563968000000" +
      "020000000000157b226964223a312c226e616d65223a22416461227d",
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
      "ec0102004318aa66e8390900427941f297c00000427941f2a6660000414800000c5a6d3976596d46794c563968000000" +
      "18000300057573657273000b74656e616e743a61636d650000000000075b312c322c335d",
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
      "ec0101004318aa66e8390900427941f297c00000427941f2a6660000414800000c5a6d3976596d46794c563968000000" +
      "2400050002c3a9000631303025323500062575443830300004f09f8e890006efbbbf626f6d0000001d7b227465787422" +
      "3a226e61c3af766520f09f8e89205c7564383030227d",
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
    hex: "ec010000000000000000000000000000000000007ff0000000000000000000000000000002000000000000",
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
    hex:
      "ec0102004318aa66e8390900427941f297c00000427941f2a6660000414800000c5a6d3976596d46794c563968000000" +
      "020000000000046e756c6c",
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
    name: "gzip",
    compression: "gzip",
    hex:
      "ec0101014318aa66e8390900427941f297c00000427941f2a6660000414800000c5a6d3976596d46794c563968000000" +
      "0a000100066369746965730000047f1f8b08000000000004037dd0bb0d82001885d15dfe9ac27baff86007273014041a" +
      "12a389a131868198c3c52c6ccd579fee5cdf354fd5ed9a1ae7e5555d5d1ef7e5f9d9865badcdcf0466b080edc15ab003" +
      "d811ec04760613c6d08ca8467423ca11ed887a443fa220d19069c834641a320d99864c43a621d39069c834141a0a0d85" +
      "864243a1a1d050682834141acadfa1fe0b870911dd7f040000",
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
      "ec0101024318aa66e8390900427941f297c00000427941f2a6660000414800000c5a6d3976596d46794c563968000000" +
      "0a000100066369746965730000047f28b52ffd607f035d040042840f19b0a903cc0943b2a96dda3d3334f572b9646b6d" +
      "8a103da35301c9ffffff6fdbb66db76ddbd628884108eedec446a12aa839cfc1c5a8b185072c328c1212282080a3e203" +
      "9f3097618c608e6119610ec318c11cc330c21cc332c21c8631327325328c444646644e448685c80888cc7dc8300f19e9" +
      "90010ef7854c28e1095928c20b59283ddc1e8b4e",
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
