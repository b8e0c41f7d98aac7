/**
 * Every primitive passes the function that is put around them. The list is that of the contract, as memory has it: one that is
 * added there and forgotten here fails.
 */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import type { CacheError } from "effect-cache"
import type { Primitives } from "../../src/services/CachePrimitives.ts"
import { type Around, around, type Call, type Kind, type Operation } from "../../src/stores/around.ts"
import { makeMemoryPrimitives } from "../../src/stores/memory/primitives.ts"

/** What each is about. */
const kinds: Record<Operation, Kind> = {
  read: "read",
  usage: "read",
  lookupMany: "read",
  epoch: "read",
  markers: "read",
  fill: "write",
  addTags: "write",
  ensure: "write",
  remove: "invalidation",
  removeMatching: "invalidation",
  removeMatchingAny: "invalidation",
  clear: "invalidation",
  invalidate: "invalidation",
  acquire: "lease",
  takeOver: "lease",
  takeOverFrom: "lease",
  renew: "lease",
  release: "lease",
  awaitRelease: "lease",
  "intents.put": "lease",
  "intents.renew": "lease",
  "intents.drop": "lease",
  "intents.settle": "lease",
  "intents.forget": "lease",
  "intents.ended": "read",
  "intents.sweep": "read"
}

/** Memory keeps none. */
const intentNames = ["put", "renew", "drop", "settle", "forget", "ended", "sweep"]

type Members = Record<string, unknown>
type Primitive =
  | Effect.Effect<unknown, CacheError>
  | ((...args: ReadonlyArray<unknown>) => Effect.Effect<unknown, CacheError>)

const isPrimitive = (member: unknown): member is Primitive => typeof member === "function" || Effect.isEffect(member)

/** In place of each primitive of the contract, one that says what it was given. */
const spied = Effect.map(makeMemoryPrimitives({}), ({ backend, tags }) => {
  const given: Array<readonly [name: string, args: ReadonlyArray<unknown>]> = []
  const spy = (members: object): Members =>
    Object.fromEntries(
      Object.entries(members as Members).map(([name, member]) => {
        const told = (args: ReadonlyArray<unknown>) =>
          Effect.sync(() => {
            given.push([name, args])
            return name
          })
        if (Effect.isEffect(member)) return [name, told([])]
        return [name, typeof member === "function" ? (...args: ReadonlyArray<unknown>) => told(args) : member]
      })
    )
  const fast = {
    ...spy({ lookupMany: () => undefined, removeMatchingAny: () => undefined }),
    lookup: () => {},
    pick: () => undefined
  }
  const intents = Object.fromEntries(
    intentNames.map((name) => [name, spy({ [`intents.${name}`]: () => undefined })[`intents.${name}`]])
  )
  const primitives = { backend: { ...spy(backend), fast, intents }, tags: spy(tags) } as unknown as Primitives
  return { given, primitives, names: { backend: Object.keys(backend), tags: Object.keys(tags) } }
})

const callOf = (member: Primitive, args: ReadonlyArray<unknown>) => (Effect.isEffect(member) ? member : member(...args))

const args: ReadonlyArray<unknown> = [{ first: 1 }, "second", 3, { fourth: true }]

describe("around", () => {
  it.effect("each primitive passes the function, as it was called, and what that gives is used", () =>
    Effect.gen(function*() {
      const { given, primitives } = yield* spied
      const calls: Array<Call> = []
      // Twice, so that what it gives back is seen to be used.
      const twice: Around = (call, self) => {
        calls.push(call)
        return Effect.andThen(self, self)
      }
      const { backend, tags } = around(primitives, twice)
      const passed = new Set<string>()
      const members = [
        ...Object.entries(backend),
        ...Object.entries(backend.fast ?? {}),
        ...Object.entries(backend.intents ?? {}).map(([name, member]) => [`intents.${name}`, member] as const),
        ...Object.entries(tags)
      ]
      for (const [name, member] of members) {
        if (!isPrimitive(member)) continue
        const wanted = Effect.isEffect(member) ? [] : args
        given.length = 0
        const found = yield* callOf(member, args)
        assert.strictEqual(found, name)
        assert.deepStrictEqual(given, [
          [name, wanted],
          [name, wanted]
        ])
        const call = calls.find(({ operation }) => operation === name)
        assert.deepStrictEqual([call?.kind, call?.args], [kinds[name as Operation], wanted])
        for (const [i, arg] of wanted.entries()) assert.strictEqual(call!.args[i], arg)
        passed.add(name)
      }
      assert.deepStrictEqual([...passed].sort(), Object.keys(kinds).sort())
    })
  )

  it.effect("what says what the store is stays; what answers without an effect is left out", () =>
    Effect.gen(function*() {
      const { names, primitives } = yield* spied
      assert.isDefined(primitives.backend.local)
      const { backend, tags } = around(primitives, (_, self) => self)
      assert.includeMembers(Object.keys(backend), names.backend)
      assert.sameMembers(Object.keys(tags), names.tags)
      assert.isUndefined(backend.local)
      assert.deepStrictEqual(Object.keys(backend.fast ?? {}), ["lookupMany", "removeMatchingAny"])
      for (const name of ["name", "format", "isolation", "compressor", "deadlineMillis"] as const) {
        assert.strictEqual(backend[name], primitives.backend[name])
      }
    })
  )

  it.effect("of a fast path that only answers without an effect nothing is left", () =>
    Effect.gen(function*() {
      const { backend, tags } = yield* makeMemoryPrimitives({})
      assert.isDefined(backend.fast?.pick)
      assert.isUndefined(around({ backend, tags }, (_, self) => self).backend.fast)
    })
  )
})
