/**
 * What release 0.1.0 left in Redis, as it was found there: each name, and what it held. A release that comes later runs on the
 * same namespace during a deploy, so it must read these, or take them for missing.
 */

/** The texts at that moment: the program had just invalidated `tenant:7` and `gone`, and was loading `slow:1`. */
export const strings: Readonly<Record<string, string>> = {
  // A counter that began at the server's clock in microseconds. A marker is the epoch of its tag's last invalidation.
  "ec:epoch": "1795998377791300",
  "ec:t:": "1795998377649053",
  "ec:t:50%%%!>!é%!>!%#`<%!^$%#`^": "1795998377649053",
  "ec:t:added": "1795998377791300",
  "ec:t:tenant:7": "1795998377791300",
  "ec:t:tenant:8": "1795998377649053",
  "ec:t:users": "1795998377649053",
  // The token of a load in flight.
  "ec:l:{slow:1}": "e34b0ee8-f970-4c5d-b643-a53709c0fb6f-7",
  // A lock that is held, and its fence.
  "ec:lock:{job:%#`<1%#`^}": "d6f62fe2-6629-4b32-ac3e-2a80676bf98c-0",
  "ec:fence:{job:%#`<1%#`^}": "1795998378020833"
}

/** What stands in the place of a marker for as long as it is being made. */
export const pendingText = "?MzkGluDs2Uz9IweC-1"

export interface StoredEntry {
  readonly key: string
  readonly name: string
  readonly hex: string
}

/** The entries, all of layout 2. */
export const entries: ReadonlyArray<StoredEntry> = [
  {
    // Compressed by zstd.
    key: "list",
    name: "ec:e:{list}",
    hex:
      "eca60661737551239d01a229d866c70036ee800000845be8b798aaccc7df0200002ee128b52ffd60e12df50000b05b30" +
      "2c312c322c332c342c352c362c372c382c392c5d010091ddf19309"
  },
  {
    // The value is `undefined`.
    key: "nothing",
    name: "ec:e:{nothing}",
    hex: "ec840661737551239d01a229d866bf0036ee80000011ca23e765b671d8a3"
  },
  {
    // Stale: its tag `tenant:7` was invalidated.
    key: "tagged:7",
    name: "ec:e:{tagged:7}",
    hex:
      "ec960661737551239d01a229d866c10036ee800000ef5aec179cfedf777b040575736572730874656e616e743a370c35" +
      "3025323520c3a9207b2a7d007b226964223a2237222c226e616d65223a224772616365227d"
  },
  {
    key: "tagged:8",
    name: "ec:e:{tagged:8}",
    hex:
      "ec9606617375534f4401a229d867440036ee800000ef5aec179cfedf777b040575736572730874656e616e743a380c35" +
      "3025323520c3a9207b2a7d007b226964223a2238222c226e616d65223a224772616365227d"
  },
  {
    // Stale: the tag was added by `tagCacheKey`, and is younger than the entry.
    key: "user:1",
    name: "ec:e:{user:1}",
    hex:
      "ec960661737551239d01a229d866b20036ee803f80ef5aec179cfedf777b010561646465647b226964223a2231222c22" +
      "6e616d65223a22416461227d"
  },
  {
    // Neither ASCII nor tags.
    key: "user:a%3Ab%20%2A%7Bé%7D",
    name: "ec:e:{user:a%%3Ab%%20%%2A%%7Bé%%7D}",
    hex:
      "ec850661737551239d01a229d866b80036ee800000ef5aec179cfedf777b7b226964223a22613a62202a7bc3a97d222c" +
      "226e616d65223a22416461227d"
  },
  {
    // A key of 600 characters, shortened.
    key: "x".repeat(600),
    name: `ec:e:{${"x".repeat(467)}%%~UTCzPmuH-_UxbtkEnpiSTrEQgAvLqq2AUPZC-6bfN8k}`,
    hex: "ec860661737551239d01a229d866bc0036ee800000a6134354cbd941b628226c6f6e6722"
  }
]
