/**
 * How many random programs a test goes through: `npm run verify` goes on for longer than `npm test`, four times as long unless told.
 */
export const rounds = (inTests: number, more = 4 * inTests): number =>
  process.env["ROUNDS"] === "more" ? more : inTests
