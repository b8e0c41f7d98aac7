/**
 * What is stored of a response, and the answers that are made of it.
 */
import { assert, describe, it } from "@effect/vitest"
import { HttpServerRequest, HttpServerResponse as Response } from "effect/http"
import { policyUnsafe } from "../../src/http/options.ts"
import { storableOf } from "../../src/http/semantics.ts"
import { answer, store } from "../../src/http/stored.ts"

const policy = policyUnsafe({ ttl: 60_000 })
const came = Date.UTC(2026, 0, 1, 12, 0, 0, 400)

const stored = (response: Response.HttpServerResponse) => {
  const storable = storableOf(response, policy, { asked: came, came })
  if (typeof storable === "string") return assert.fail(storable)
  return store(storable, policy, 60_000, came)
}

/** The answer after so many seconds. */
const answered = (response: Response.HttpServerResponse, headers: Record<string, string> = {}, seconds = 0) =>
  answer(
    stored(response),
    HttpServerRequest.fromWeb(new Request("http://localhost/", { headers })),
    policy,
    { forward: undefined },
    came + seconds * 1000
  )

const text = (headers: Record<string, string>) => Response.text("0123456789", { headers })

describe("what is stored", () => {
  it("has a body of its own, that keeps no larger buffer in memory", () => {
    const large = new Uint8Array(1_000_000).fill(65)
    const { body } = stored(Response.uint8Array(large.subarray(10, 110)))
    large.fill(66)
    assert.deepStrictEqual([body.buffer.byteLength, body.byteOffset, body[0]], [100, 0, 65])
    const node = stored(Response.uint8Array(Buffer.from("small, and of a pool"))).body
    assert.strictEqual(node.buffer.byteLength, 20)
  })

  it("has an entity tag of ours where the handler has none, or an empty one", () => {
    for (const headers of [{}, { etag: "" }, { etag: " " }]) {
      assert.match(answered(text(headers)).headers["etag"]!, /^"[\w-]{27}"$/)
      for (const asked of ["", " ", "W/", ","]) {
        assert.strictEqual(answered(text(headers), { "if-none-match": asked }).status, 200, JSON.stringify(asked))
      }
    }
    assert.strictEqual(answered(text({ etag: "W/" }), { "if-none-match": "W/" }).status, 200)
    assert.strictEqual(answered(text({ etag: "bare" }), { "if-none-match": "bare" }).status, 304)
  })
})

describe("answers", () => {
  it("a part has no digest of the whole content, and what is not there none at all", () => {
    const digests = { "content-digest": "sha-256=:x:", "content-md5": "x", "repr-digest": "sha-256=:y:", digest: "z" }
    const names = (response: Response.HttpServerResponse) =>
      Object.keys(digests).filter((name) => response.headers[name] !== undefined)
    assert.deepStrictEqual(names(answered(text(digests))), Object.keys(digests))
    const part = answered(text(digests), { range: "bytes=0-3" })
    assert.deepStrictEqual([part.status, names(part)], [206, ["repr-digest", "digest"]])
    const none = answered(text(digests), { range: "bytes=10-" })
    assert.deepStrictEqual([none.status, names(none)], [416, []])
  })

  it("Expires goes out with the Date from which it counts", () => {
    const expires = new Date(came + 60_000).toUTCString()
    const date = "Thu, 01 Jan 2026 12:00:00 GMT"
    const { headers } = answered(text({ expires }), {}, 20)
    assert.deepStrictEqual([headers["date"], headers["age"]], [date, "20"])
    const own = new Date(came - 5000).toUTCString()
    assert.strictEqual(answered(text({ expires, date: own }), {}, 20).headers["date"], own)
    assert.strictEqual(answered(text({}), {}, 20).headers["date"], undefined)
    // A second is too long to tell two responses apart.
    assert.strictEqual(answered(text({ expires }), { "if-modified-since": date }).status, 200)
    assert.strictEqual(answered(text({ expires, date }), { "if-modified-since": date }).status, 304)
  })
})
