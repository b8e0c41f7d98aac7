/**
 * Entries in the format a backend wants, and strings that a careless store mixes up: those of the conformance kit.
 */
export type { CachePrimitives as Primitives } from "../../src/index.ts"
export { header, hostile, plant, valueOf, write } from "../../src/testing/conformance/values.ts"
