/**
 * The random histories of the conformance kit.
 */
export { generator, runHistory } from "../../src/testing/conformance/histories.ts"
