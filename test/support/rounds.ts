/**
 * How many random programs a test goes through: `npm run verify` goes on for four times as long as `npm test`.
 */
export const rounds = (inTests: number): number => (process.env["ROUNDS"] === "more" ? 4 * inTests : inTests)
