/**
 * That a backend says when a lease has ended. The contract allows that a hint is lost, and callers poll as well; a
 * backend that gives none at all leaves these cases out.
 */
import { Effect, Exit, Fiber } from "effect"
import { type Backend, backendCase } from "./backendCase.ts"
import type { Script } from "./case.ts"
import { expect } from "./expect.ts"
import { write } from "./values.ts"

const hintCase = (name: string, body: (backend: Backend) => Effect.Effect<void, unknown>): Script => ({
  ...backendCase(name, body),
  group: "hints"
})

export const hintCases: ReadonlyArray<Script> = [
  hintCase(
    "awaitRelease completes after a release and after a fill",
    Effect.fnUntraced(function*(backend) {
      for (const end of ["release", "fill"] as const) {
        yield* backend.acquire(end, "a", 10_000)
        const waiter = yield* Effect.forkChild(backend.awaitRelease(end, "a"), { startImmediately: true })
        if (end === "release") yield* backend.release(end, "a", "keep")
        else yield* backend.fill(end, "a", write(backend, 1), "keep")
        expect(`the wait for a ${end} to succeed`, Exit.isSuccess(yield* Fiber.await(waiter))).is(true)
      }
    })
  ),

  hintCase(
    "awaitRelease completes when the lease is no longer that token's",
    Effect.fnUntraced(function*(backend) {
      yield* backend.awaitRelease("absent", "a")
      yield* backend.acquire("k", "b", 10_000)
      yield* backend.awaitRelease("k", "a")
    })
  ),

  hintCase(
    "interrupted waiters leave the others waiting",
    Effect.fnUntraced(function*(backend) {
      yield* backend.acquire("k", "a", 10_000)
      const wait = backend.awaitRelease("k", "a")
      const first = yield* Effect.forkChild(wait, { startImmediately: true })
      const second = yield* Effect.forkChild(wait, { startImmediately: true })
      yield* Fiber.interrupt(first)
      yield* backend.release("k", "a", "keep")
      expect("the wait of the other to succeed", Exit.isSuccess(yield* Fiber.await(second))).is(true)
    })
  )
]
