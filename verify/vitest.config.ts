import base from "../vitest.config.ts"

// A little of the programs, which is too long for `npm test`.
export default {
  ...base,
  test: {
    ...base.test,
    projects: undefined,
    include: ["verify/tests/*.test.ts"],
    reporters: ["default", ["json", { outputFile: ".tmp/verify.json" }]]
  }
}
