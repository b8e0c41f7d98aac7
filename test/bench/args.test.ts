import { assert, describe, it } from "@effect/vitest"
import { parseArgs, UsageError } from "../../bench/lib/args.ts"

describe("flags of the benchmarks", () => {
  it("without any: the short set, with peers, as text", () => {
    assert.deepStrictEqual(parseArgs([]), {
      help: false,
      mode: "short",
      json: false,
      only: [],
      list: false,
      peers: true,
      merge: false,
      traces: undefined,
      rounds: undefined
    })
  })

  it("all of them", () => {
    const options = parseArgs(
      "--full --json=out.json --merge --only redis-hit --only=memory-hit/zipf --trace traces --no-peers --rounds 3".split(
        " "
      )
    )
    assert.strictEqual(options.mode, "full")
    assert.strictEqual(options.json, "out.json")
    assert.isTrue(options.merge)
    assert.deepStrictEqual(options.only, ["redis-hit", "memory-hit/zipf"])
    assert.strictEqual(options.traces, "traces")
    assert.isFalse(options.peers)
    assert.strictEqual(options.rounds, 3)
  })

  it("--json alone is standard output, and takes nothing that follows", () => {
    assert.isTrue(parseArgs(["--json"]).json)
    assert.throws(() => parseArgs(["--json", "out.json"]), UsageError, "unknown flag out.json")
  })

  it.each([
    [["--fast"], "unknown flag --fast"],
    [["redis"], "unknown flag redis"],
    [["--only"], "--only needs a value"],
    [["--only", "--full"], "--only needs a value"],
    [["--rounds", "0"], "expected a whole number"],
    [["--rounds=many"], "expected a whole number"],
    [["--full=yes"], "--full takes no value"],
    [["--json="], "needs the name of a file"],
    [["--merge"], "--merge needs --json=file"],
    [["--merge", "--json"], "--merge needs --json=file"]
  ])("%j is refused", (args, message) => {
    assert.throws(() => parseArgs(args), UsageError, message)
  })
})
