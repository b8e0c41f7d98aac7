/**
 * The checker on histories made by hand: it finds what it must, and accuses nobody who is innocent.
 */
import * as fs from "node:fs"
import * as os from "node:os"
import * as path from "node:path"
import { assert, describe, it } from "@effect/vitest"
import { check, type CheckInput, type Fault, type Recording } from "../../verify/histories/checker.ts"
import { figuresOf } from "../../verify/histories/figures.ts"
import {
  type Acknowledged,
  decodeEvent,
  encodeEvent,
  type Event,
  makeRecorder,
  type Read,
  readEvents
} from "../../verify/histories/records.ts"
import { storyOf } from "../../verify/histories/story.ts"
import { keysOf, poison, setLoad } from "../../verify/histories/world.ts"

const second = 1_000_000

/** Times are in milliseconds; at 0 row `plain:0` is at version 1, at 100 it goes to 2, at 200 to 3. */
const commits = new Map([
  ["plain:0", [0, 100, 200].map((at, i) => ({ version: i + 1, at: at * 1000 }))],
  ["plain:1", [{ version: 4, at: 150_000 }]]
])

const span = (start: number, end: number) => ({ fiber: 1, start: start * 1000, end: end * 1000 })

const read = (start: number, version: number, more: Partial<Read> = {}): Read => ({
  type: "read",
  ...span(start, start + 1),
  kind: "aside",
  key: "plain:0",
  version,
  loadedAt: start * 1000,
  load: "p1.1/1",
  degraded: false,
  ...more
})

const acknowledged = (start: number, end: number, more: Partial<Acknowledged> = {}): Acknowledged => ({
  type: "acknowledged",
  ...span(start, end),
  kind: "key",
  target: "plain:0",
  covers: ["plain:0"],
  version: undefined,
  ...more
})

const recording = (who: string, events: ReadonlyArray<Event>, layer: Recording["layer"] = "redis"): Recording => ({
  who,
  layer,
  events: () => events
})

const inputOf = (recordings: ReadonlyArray<Recording>, more: Partial<CheckInput> = {}): CheckInput => ({
  recordings,
  commits,
  faults: [],
  fallbackTtlMillis: 1000,
  lossy: false,
  ...more
})

const judge = (recordings: ReadonlyArray<Recording>, more?: Partial<CheckInput>) => check(inputOf(recordings, more))
const problems = (recordings: ReadonlyArray<Recording>, more?: Partial<CheckInput>) =>
  judge(recordings, more).violations.map(({ problem }) => problem)

const failover = (start: number, more: Partial<Fault["lost"] & object> = {}): Fault => ({
  kind: "failover",
  detail: "",
  start: start * 1000,
  end: (start + 3000) * 1000,
  lost: { keys: ["plain:0"], tags: [], epoch: false, ...more }
})

describe("the checker", () => {
  it("finds a read that is older than what another process had acknowledged", () => {
    const found = judge([recording("p1.1", [acknowledged(110, 120)]), recording("p2.1", [read(121, 1), read(122, 2)])])
    assert.deepStrictEqual(
      found.violations.map(({ bond, problem, read, who }) => [who, read.version, problem, bond?.who, bond?.floor]),
      [["p2.1", 1, "stale", "p1.1", 2]]
    )
  })

  it("leaves alone what started before the acknowledgement, and what no invalidation covers", () => {
    assert.deepStrictEqual(
      problems([
        recording("p1.1", [acknowledged(110, 120), acknowledged(210, 220, { target: "plain:1", covers: ["plain:1"] })]),
        recording("p2.1", [read(119, 1), read(120, 1), read(300, 2)])
      ]),
      []
    )
  })

  it("knows what was committed before an invalidation began, and not while it ran", () => {
    // Began at 195: version 3 of 200 may be missed, version 2 may not.
    const others = [recording("p1.1", [acknowledged(195, 230)])]
    assert.deepStrictEqual(problems([...others, recording("p2.1", [read(231, 2)])]), [])
    assert.deepStrictEqual(problems([...others, recording("p2.1", [read(231, 1)])]), ["stale"])
  })

  it("holds a write-through to what it has written, and other invalidations to all that they cover", () => {
    const written = acknowledged(90, 110, { kind: "write", version: 2 })
    assert.deepStrictEqual(problems([recording("p1.1", [written, read(111, 1), read(112, 2)])]), ["stale"])
    const pattern = acknowledged(160, 170, { kind: "pattern", target: "plain:*", covers: keysOf("plain") })
    assert.deepStrictEqual(
      problems([recording("p1.1", [pattern, read(171, 0, { key: "plain:1" }), read(171, 4, { key: "plain:1" })])]),
      ["stale"]
    )
  })

  it("remembers the newest acknowledgement, in whatever order they come", () => {
    // The one that is acknowledged last began first, and asks for less.
    const events = [acknowledged(110, 400), acknowledged(205, 300), read(299, 2), read(350, 2), read(401, 2)]
    assert.deepStrictEqual(
      judge([recording("p1.1", events)]).violations.map(({ bond, read }) => [read.start, bond?.floor]),
      [
        [350_000, 3],
        [401_000, 3]
      ]
    )
  })

  it("finds values of other keys, and versions that never were", () => {
    assert.deepStrictEqual(
      problems([recording("p1.1", [read(1, -1), read(1, 4), read(1, 99), read(1, 0), read(1, 1)])]),
      ["a value of another key", "a version that was never written", "a version that was never written"]
    )
  })

  it("finds values of another database, whatever else is to be said of them", () => {
    const there = read(300, 0, { load: poison })
    assert.deepStrictEqual(
      problems([recording("p1.1", [there, { ...there, degraded: true, kind: "get" }, read(300, 3)])]),
      ["a value of another database", "a value of another database"]
    )
  })

  describe("of values that were handed to set", () => {
    /** Version 1, of a `set` that had begun at that moment, read at 300. */
    const old = (begun: number) =>
      recording("p2.1", [read(300, 1, { load: setLoad("p3.1", 7), loadedAt: begun * 1000 })])
    const setOf = (start: number, end: number, version: number) =>
      recording("p3.1", [acknowledged(start, end, { kind: "set", version })])
    const others = recording("p1.1", [acknowledged(110, 120)])

    it("finds those that are older than an invalidation which began after set had", () => {
      assert.deepStrictEqual(problems([others, old(105)]), ["stale"])
      // Without the store a process has nothing of a set.
      const degraded = read(300, 1, { load: setLoad("p2.1", 7), loadedAt: 105_000, degraded: true })
      assert.deepStrictEqual(problems([others, recording("p2.1", [degraded])]), ["stale"])
      const found = judge([others, recording("p4.1", [acknowledged(210, 220)]), old(105)])
      assert.deepStrictEqual(
        found.violations.map(({ bond }) => [bond?.who, bond?.floor]),
        [["p4.1", 3]]
      )
    })

    it("leaves to the caller what was invalidated before, or at the same time", () => {
      assert.deepStrictEqual(problems([others, old(121)]), [])
      assert.deepStrictEqual(problems([others, old(115)]), [])
      // What came after that is another matter.
      assert.deepStrictEqual(problems([others, recording("p4.1", [acknowledged(130, 140)]), old(125)]), ["stale"])
    })

    it("a write-through that had not committed when set began overtakes it", () => {
      const written = recording("p1.1", [acknowledged(90, 130, { kind: "write", version: 2 })])
      assert.deepStrictEqual(problems([written, old(95)]), ["stale"])
      assert.deepStrictEqual(problems([written, old(101)]), [])
      // The keys that it lists are invalidated some time during it.
      const lists = { kind: "write", target: "plain:1", version: 9, covers: ["plain:1", "plain:0"] } as const
      assert.deepStrictEqual(problems([recording("p1.1", [acknowledged(110, 130, lists)]), old(115)]), [])
      assert.deepStrictEqual(problems([recording("p1.1", [acknowledged(110, 130, lists)]), old(109)]), ["stale"])
    })

    it("a set that was acknowledged binds to what was set, and to no more", () => {
      assert.deepStrictEqual(problems([setOf(210, 220, 2), recording("p2.1", [read(221, 1), read(221, 2)])]), ["stale"])
      assert.deepStrictEqual(problems([setOf(210, 220, 2), recording("p2.1", [read(219, 1)])]), [])
      // Of two at once neither binds the other.
      assert.deepStrictEqual(problems([setOf(210, 220, 2), old(215)]), [])
      assert.deepStrictEqual(problems([setOf(210, 220, 2), old(205)]), ["stale"])
    })

    it("a failover may lose what was set, also when the run waits for replicas", () => {
      const stale = recording("p2.1", [read(5000, 1)])
      const faults = [failover(2000)]
      const found = judge([setOf(1800, 1900, 2), stale], { faults, lossy: false })
      assert.deepStrictEqual([found.violations.length, found.staleAfterLoss, found.lost], [0, 1, 1])
      const both = [setOf(1800, 1900, 2), recording("p1.1", [acknowledged(1800, 1900)]), stale]
      assert.deepStrictEqual(problems(both, { faults, lossy: false }), ["stale"])
    })
  })

  describe("of reads that went without the store", () => {
    const away = (who: string) => ({ degraded: true, load: `${who}/1` }) as const
    const other = recording("p1.1", [acknowledged(110, 120)])

    it("excuses what others invalidated, while the load was under way", () => {
      const found = judge([other, recording("p2.1", [read(121, 1, away("p2.1"))])])
      assert.deepStrictEqual(found, { violations: [], staleWhileAway: 1, staleAfterLoss: 0, lost: 0 })
    })

    it("does not excuse what its own process invalidated", () => {
      assert.deepStrictEqual(problems([recording("p2.1", [acknowledged(110, 120), read(121, 1, away("p2.1"))])]), [
        "stale by its own process's word, while the store was away"
      ])
      // A process that took the place of another is another.
      assert.deepStrictEqual(problems([other, recording("p1.2", [read(121, 1, away("p1.2"))])]), [])
    })

    it("does not excuse what another process loaded: that came from the store", () => {
      assert.deepStrictEqual(problems([other, recording("p2.1", [read(121, 1, away("p1.1"))])]), ["stale"])
    })

    it("does not excuse what was kept for too long", () => {
      const old = read(4000, 1, { ...away("p2.1"), loadedAt: 4000 * 1000 - 1.5 * second })
      assert.deepStrictEqual(problems([other, recording("p2.1", [old], "fallback")]), [])
      assert.deepStrictEqual(problems([other, recording("p2.1", [old])]), ["kept too long while the store was away"])
      const older = { ...old, loadedAt: 4000 * 1000 - 2.5 * second }
      assert.deepStrictEqual(problems([other, recording("p2.1", [older], "fallback")]).length, 1)
      const pause = { kind: "pause", detail: "", start: 2 * second, end: 3 * second, paused: "p2.1" }
      assert.deepStrictEqual(problems([other, recording("p2.1", [older], "fallback")], { faults: [pause] }), [])
    })
  })

  describe("of failovers", () => {
    const stale = recording("p2.1", [read(5000, 1)])
    const lastWord = (millis: number, more?: Partial<Acknowledged>) =>
      recording("p1.1", [acknowledged(2000 - millis - 10, 2000 - millis, more)])
    const counts = (recordings: ReadonlyArray<Recording>, fault: Fault, lossy = true) => {
      const { lost, staleAfterLoss, violations } = judge(recordings, { faults: [fault], lossy })
      return [violations.length, staleAfterLoss, lost]
    }

    it("counts apart what asynchronous replication may have lost", () => {
      assert.deepStrictEqual(counts([lastWord(100), stale], failover(2000)), [0, 1, 1])
    })

    it("excuses nothing when the run waits for replicas", () => {
      assert.deepStrictEqual(counts([lastWord(100), stale], failover(2000), false), [1, 0, 0])
    })

    it("excuses nothing that was acknowledged long before, after, or kept by another server", () => {
      assert.deepStrictEqual(counts([lastWord(1900), lastWord(100), stale], failover(4500)), [1, 0, 0])
      assert.deepStrictEqual(counts([lastWord(-1500), stale], failover(2000)), [1, 0, 0])
      assert.deepStrictEqual(counts([lastWord(100), stale], failover(2000, { keys: ["plain:1"] })), [1, 0, 0])
    })

    it("a tag is lost with its marker or the epoch", () => {
      const tag = { kind: "tag", target: "all" } as const
      const counted = (more: Partial<Fault["lost"] & object>) =>
        counts([lastWord(100, tag), stale], failover(2000, { keys: [], ...more }))
      assert.deepStrictEqual(counted({ tags: ["all"] }), [0, 1, 1])
      assert.deepStrictEqual(counted({ epoch: true }), [0, 1, 1])
      assert.deepStrictEqual(counted({ tags: ["other"] }), [1, 0, 0])
      // An old entry that comes back is stale by its marker.
      assert.deepStrictEqual(counted({ keys: ["plain:0"] }), [1, 0, 0])
    })

    it("what a write invalidates beside its own key is lost with the markers of its bearers", () => {
      const write = { kind: "write", target: "tagged:1", covers: ["tagged:0"], version: 9 } as const
      const row = { commits: new Map([["tagged:0", [1, 2].map((version) => ({ version, at: version * 1000 }))]]) }
      const old = recording("p2.1", [read(5000, 1, { key: "tagged:0" })])
      const counted = (more: Partial<Fault["lost"] & object>) => {
        const faults = [failover(2000, { keys: [], ...more })]
        const found = check({ ...inputOf([lastWord(100, write), old], { faults, lossy: true }), ...row })
        return [found.violations.length, found.staleAfterLoss]
      }
      assert.deepStrictEqual(counted({ tags: ["all"] }), [0, 1])
      assert.deepStrictEqual(counted({ tags: ["fixed"], keys: ["tagged:0"] }), [1, 0])
    })
  })

  it("tells the story of a violation in order", () => {
    const load: Event = { type: "load", ...span(80, 99), key: "plain:0", version: 1, load: "p2.1/7" }
    const fault: Fault = { kind: "evict", detail: "ec:l:{plain:0}", start: 105_000, end: 106_000 }
    const input = inputOf(
      [
        recording("p1.1", [acknowledged(110, 120)]),
        recording("p2.1", [load, read(121, 1, { load: "p2.1/7", loadedAt: 99_000 })])
      ],
      { faults: [fault] }
    )
    assert.deepStrictEqual(storyOf(check(input).violations[0]!, input).split("\n"), [
      "stale: p2.1 fiber 1 read plain:0 by aside",
      "  and got version 1, of load p2.1/7, in 1.0 ms.",
      "  1.0 ms before it started, p1.1 fiber 1 had key plain:0 acknowledged,",
      "  after which plain:0 is at version 2 or newer.",
      "     -121.0  the database committed version 1",
      "      -22.0  p2.1 loaded version 1 (load p2.1/7; took 19.0 ms)",
      "      -21.0  the database committed version 2",
      "      -16.0  NEMESIS evict ec:l:{plain:0} (for 1.0 ms)",
      "       -1.0  p1.1 fiber 1 had its key plain:0 acknowledged (took 10.0 ms)",
      "        1.0  p2.1 fiber 1 got version 1 by aside (load p2.1/7; took 1.0 ms)"
    ])
  })

  it("counts waits without the time for which a process was paused, and recoveries", () => {
    const pause = { kind: "pause", detail: "", start: 10_000, end: 910_000, paused: "p1.1" }
    const figures = figuresOf(
      inputOf(
        [
          recording("p1.1", [
            read(0, 1, { end: second }),
            read(500, 1, { end: 700_000 }),
            read(2500, 1, { degraded: true }),
            read(3500, 1, { loadedAt: 0 }),
            read(9000, 1)
          ])
        ],
        { faults: [pause, failover(1000)] }
      ),
      10
    )
    assert.deepStrictEqual(figures.longestWait, { millis: 100, of: "aside by p1.1" })
    assert.deepStrictEqual(figures.recoveryMillis, [2501])
    assert.deepStrictEqual([figures.allReads, figures.hits, figures.readsWithoutStore], [5, 1, 1])
  })

  it("counts callers that left, values of set that were read, and what servers refused", () => {
    const left: Event = { type: "left", ...span(1, 2), kind: "write", target: "plain:0" }
    const refusing = (kind: string, refused: number, touched: ReadonlyArray<string>): Fault => ({
      ...{ kind, detail: "", start: 0, end: 1 },
      refused,
      touched
    })
    const faults = [
      refusing("full", 3, []),
      refusing("full", 4, []),
      refusing("select", 5, ["history:epoch was changed"])
    ]
    const figures = figuresOf(
      inputOf([recording("p1.1", [left, read(300, 3, { load: setLoad("p1.1", 1) }), left])], { faults }),
      10
    )
    assert.deepStrictEqual(figures.left, { write: 2 })
    assert.strictEqual(figures.readsOfSets, 1)
    assert.deepStrictEqual(figures.refused, { full: 7, select: 5 })
    assert.deepStrictEqual(figures.touched, ["history:epoch was changed"])
  })
})

describe("records", () => {
  const events: ReadonlyArray<Event> = [
    read(1, 2, { degraded: true }),
    { type: "load", ...span(1, 2), key: "plain:0", version: 3, load: "p1.1/2" },
    acknowledged(3, 4, { kind: "write", version: 7, covers: ["plain:0", "plain:1"] }),
    acknowledged(3, 4),
    { type: "failed", ...span(1, 2), kind: "tag", target: "all", typed: true, reason: "Unavailable: no\nway" },
    { type: "returned", ...span(1, 2), kind: "peek", key: "plain:0" },
    { type: "left", ...span(1, 2), kind: "stampede", target: "plain:0" },
    { type: "hung", ...span(1, 2), kind: "aside", target: "plain:0" }
  ]

  it("come back as they were", () => {
    for (const event of events) assert.deepStrictEqual(decodeEvent(encodeEvent(event)), event)
  })

  it("come back from a file, but for the line that a killed process did not finish", () => {
    const folder = fs.mkdtempSync(path.join(os.tmpdir(), "effect-cache-records-"))
    try {
      const file = path.join(folder, "a")
      const { flush, record } = makeRecorder(file)
      for (const event of events) record(event)
      flush()
      fs.appendFileSync(file, encodeEvent(events[0]!).slice(0, -1))
      assert.deepStrictEqual([...readEvents(file)], events)
    } finally {
      fs.rmSync(folder, { recursive: true })
    }
  })
})
