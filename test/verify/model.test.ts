/** A glance at the model: `npm run verify` goes on for longer, and `npm run verify:model` is the long run. */
import { assert, describe, it } from "@effect/vitest"
import { exhaust } from "../../verify/model/explore.ts"
import { outcomeOf } from "../../verify/model/job.ts"
import { large, small } from "../../verify/model/programs.ts"
import { follow, programOf, replay } from "../../verify/model/story.ts"
import { rounds } from "../support/rounds.ts"

describe("no schedule breaks the promise", () => {
  for (const [how, programs, schedules] of [
    ["exhaust", small, rounds(40, 300)],
    ["sample", large, rounds(15, 100)]
  ] as const) {
    for (const { name } of programs) {
      it(name, () => {
        const { complete, schedules: done, violation } = outcomeOf(how, schedules, name)
        assert.isUndefined(violation, violation?.story.join("\n"))
        assert.isTrue(complete || done >= schedules, `${done} schedules`)
      })
    }
  }
})

// Found by readers; too deep for a search of every schedule.
describe("what went wrong once", () => {
  it("a call that saw the lease of another in its process waits for it, also when it was given back meanwhile", () => {
    const a = (label: string) => `carry out|A||${label}|`
    const late = (label: string) => `carry out, reply late|A||${label}|`
    const look = [a("read the entry of row:1"), a("read the marker of T")]
    const rest = [a("read the epoch"), ...look]
    const { labels, violation } = follow(programOf("unsettled-process"), [
      "start|A|A.1||",
      "start|A|A.2||",
      ...look,
      ...look,
      late("A#1: take the lease of row:1"),
      late("A#2: take the lease of row:1"),
      ...rest.filter((label) => !label.includes("entry")),
      ...rest.filter((label) => !label.includes("entry")),
      "deliver|A||A#1: take the lease of row:1|",
      a("read the entry of row:1"),
      "deliver|A||A#2: take the lease of row:1|",
      a("read the entry of row:1"),
      "deliver|A||read the entry of row:1|",
      "deliver|A||read the entry of row:1|",
      late("database: read row:1"),
      ...[1, 3, 4, 5, 6, 7, 8].flatMap((token) => [
        a(`A#${token}: release the lease of row:1`),
        "time passes|A|||",
        a(`A#${token === 1 ? 3 : token + 1}: take the lease of row:1`),
        ...rest
      ])
    ])
    assert.include(labels, "deliver|A||A#2: take the lease of row:1|")
    assert.isUndefined(violation)
  })

  it("a lease that was given back and taken again is not the one that a load was seen beside", () => {
    type Of = (label: string) => string
    const carriedOut =
      (process: string): Of =>
      (label) =>
        `carry out|${process}||${label}|`
    const [a, b, c] = [carriedOut("A"), carriedOut("B"), carriedOut("C")]
    const look = (of: Of) => [of("read the entry of row:1"), of("read the marker of T")]
    const claim = (of: Of, token: string) => [
      of(`${token}: take the lease of row:1`),
      of("read the epoch"),
      ...look(of)
    ]
    const { labels, violation } = follow(programOf("unsettled-join-key"), [
      "start|A|A.1||",
      ...look(a),
      ...claim(a, "A#1"),
      "start|B|B.1||",
      ...look(b),
      ...claim(b, "B#1"),
      // It began to load beside A, and reads the old row.
      "carry out, reply late|B||database: read row:1|",
      c("database: commit row:1"),
      a("A#1: release the lease of row:1"),
      "deliver|C||database: commit row:1|",
      c("drop the lease of row:1"),
      c("drop the entry of row:1"),
      "time passes|A|||",
      // By another name; without the rule, by the same.
      a("A#2: take the lease of row:1"),
      a("A#1: take the lease of row:1"),
      "start|B|B.2||",
      ...look(b),
      ...claim(b, "B#2")
    ])
    assert.include(labels, "start|B|B.2||")
    assert.isUndefined(violation)
  })
})

describe("the search", () => {
  it("loses no state by not going on from one that was seen before", () => {
    for (const name of ["get", "tag-key", "write-timeout", "memory-write"]) {
      const pruned = exhaust(programOf(name), 50_000)
      const whole = exhaust(programOf(name), 50_000, false)
      assert.deepStrictEqual([name, pruned.complete, pruned.states], [name, whole.complete, whole.states])
      assert.isAtLeast(whole.schedules, pruned.schedules)
    }
  })

  it("tells one story for one token", () => {
    const token = "key:0.0.0.0.2.1.0.0.1.0"
    assert.isNotEmpty(replay(token))
    assert.deepStrictEqual(replay(token), replay(token))
  })
})
