import base from "../vitest.config.ts"

// A little of the programs and what is packed, which is too long for `npm test`, and more rounds of what goes by chance there.
export default {
  ...base,
  test: {
    ...base.test,
    projects: undefined,
    include: [
      "verify/tests/*.test.ts",
      "test/contract/histories.test.ts",
      "test/engine/nested.*.test.ts",
      "test/entry/malformed.test.ts",
      "test/schema/asStored.test.ts",
      "test/services/perRequest.test.ts",
      "test/verify/model.test.ts",
      "test/security/httpAttack.test.ts",
      "test/package/*.test.ts"
    ],
    env: { ROUNDS: "more" },
    reporters: ["default", ["json", { outputFile: ".tmp/verify.json" }]]
  }
}
