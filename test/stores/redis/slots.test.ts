/**
 * What the nodes of a cluster say of its slots, read as if an attacker had written it.
 */
import { assert, describe, it } from "@effect/vitest"
import { parseClaim, parseShards, parseSlots, slotCount } from "../../../src/stores/redis/nodes/slots.ts"

const node = ["10.0.0.1", 7000, "id", []]

describe("CLUSTER SLOTS", () => {
  it("names the primary of each slot, and all nodes", () => {
    const found = parseSlots(
      [
        [0, 99, node, ["10.0.0.2", 7001]],
        [100, 16_383, ["", 7002]]
      ],
      "asked"
    )!
    assert.strictEqual(found.owners.length, slotCount)
    assert.deepStrictEqual(found.owners[99], { host: "10.0.0.1", port: 7000 })
    assert.deepStrictEqual(found.owners[100], { host: "asked", port: 7002 })
    assert.strictEqual(found.addresses.length, 3)
  })

  it.each([
    [null],
    ["OK"],
    [[]],
    [[["a", "b", node]]],
    [[[5, 4, node]]],
    [[[0, 16_384, node]]],
    [[[-1, 4, node]]],
    [[[0, 4]]],
    [[[0, 4, ["h", 0]]]],
    [[[0, 4, ["h", 70_000]]]],
    // Work without end: the same slots again and again.
    [Array.from({ length: 50_000 }, () => [0, 16_383, node])]
  ])("%# is no map", (reply) => {
    assert.isUndefined(parseSlots(reply, "asked"))
  })
})

describe("CLUSTER NODES", () => {
  const line = (flags: string, slots: string) =>
    `other 1:1@2 master - 0 0 1 connected 9-99\nme :7000@17000 ${flags} - 0 0 2 connected ${slots}\n`

  it("gives what the node says of itself", () => {
    assert.deepStrictEqual(parseClaim(line("myself,master", "0-99 105")), {
      owner: "me 0-99 105",
      slots: 101,
      moving: false,
      importers: []
    })
    const moving = parseClaim(line("myself,master", "0-99 [7->-other] [8->-other] [9-<-third]"))!
    assert.isTrue(moving.moving)
    // What comes to this node is here: no other has to be looked at.
    assert.deepStrictEqual(moving.importers, ["other"])
  })

  it("is nothing from a replica, or from what is no node", () => {
    for (const reply of [line("myself,slave", ""), "", "OK", null, 7]) assert.isUndefined(parseClaim(reply))
  })
})

describe("CLUSTER SHARDS", () => {
  const of = (...fields: ReadonlyArray<unknown>) => [["slots", [], "nodes", [["id", "n", ...fields]]]]

  it("gives the address of each node, also of one without slots", () => {
    const reply = of("port", 7000, "tls-port", 7100, "ip", "10.0.0.1", "endpoint", "host", "role", "master")
    assert.deepStrictEqual([...parseShards(reply, "asked", false)], [["n", { host: "host", port: 7000 }]])
    assert.deepStrictEqual([...parseShards(reply, "asked", true)], [["n", { host: "host", port: 7100 }]])
    // With `tls-cluster no` there is one port only.
    const plain = of("port", 7000, "endpoint", "host")
    assert.deepStrictEqual(parseShards(plain, "asked", true).get("n"), { host: "host", port: 7000 })
    assert.deepStrictEqual(
      ["", "?", null].map((endpoint) => parseShards(of("port", 7000, "endpoint", endpoint), "asked", false).get("n")),
      Array.from({ length: 3 }, () => ({ host: "asked", port: 7000 }))
    )
  })

  it.each([
    [null],
    ["OK"],
    [7],
    [[]],
    [[null]],
    [[["nodes"]]],
    [[["nodes", "x"]]],
    [of("port", 0)],
    [of("endpoint", "h")]
  ])("%# names no node", (reply) => {
    assert.strictEqual(parseShards(reply, "asked", false).size, 0)
  })
})
