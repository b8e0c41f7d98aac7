/**
 * Requests as an attacker would make them, and headers of responses that a handler should not have made.
 */
import { Cookies, Headers, HttpServerRequest } from "effect/http"
import { type Dice, diceOf } from "../../test/support/dice.ts"

type Request = HttpServerRequest.HttpServerRequest

const paths = [
  "/",
  "/a",
  "/a/",
  "/%61",
  "/a//b",
  "/a%2Fb",
  "/a/b",
  "/%00",
  "/a;b",
  "/a:b",
  "/A",
  "/private",
  "/cookie",
  "/vary",
  "/star",
  "/missing",
  "/nostore",
  "/aged",
  "/odd"
]
const pairs = [
  "a=1",
  "a=2",
  "a",
  "a=",
  "b=1",
  "b=2",
  "%61=1",
  "?a=1",
  "=",
  "",
  "a=%31",
  "a=+",
  "a=%20",
  "__proto__=1",
  "constructor=1",
  "a=%ff",
  "%ff=1",
  "a[]=1",
  "a=1#b",
  "c=1",
  "a=1%26b=2"
]
const texts = [
  "",
  "a",
  "b",
  "a ",
  "a\u00a0",
  "A",
  "a,b",
  "a, b",
  "*",
  "{a}",
  "a%20",
  "\u00e9",
  "\ud800",
  "a#b",
  "a&x-v=b",
  "a=b"
]
const pool: Readonly<Record<string, ReadonlyArray<string>>> = {
  "x-v": texts,
  "accept-language": ["en", "de", "de;q=0.5", "*", ...texts],
  host: ["localhost", "evil.example", "localhost:80", "LOCALHOST", "localhost.", "[::1]:1", "a/b", "a, b"],
  authorization: ["Bearer a", "Bearer b", "bearer a", "Bearer a ", "Basic YTpi", ...texts],
  "x-api-key": texts,
  cookie: [
    "session=a",
    "session=b",
    "session=a; session=b",
    "session=b; session=a",
    "theme=1",
    "session=a; theme=2",
    'session="a"',
    "session=%61",
    "Session=a",
    "session",
    "session=",
    " session=a",
    "__proto__=a",
    "a=b;session=a",
    ...texts
  ],
  "cache-control": [
    "no-cache",
    "no-store",
    "max-age=0",
    "max-age=5",
    "max-age=99999999999",
    'max-age="0"',
    "private",
    "only-if-cached",
    "max-age=-1",
    "max-age=a, no-cache",
    ",,,",
    "no-cache=x"
  ],
  pragma: ["no-cache", "x"],
  range: ["bytes=0-1", "bytes=-1", "x"],
  "if-none-match": ["*", '"x"', 'W/"x"', '"', '""', ",", `${'"a",'.repeat(50)}"b"`],
  "if-modified-since": ["Thu, 01 Jan 2099 00:00:00 GMT", "x"],
  "if-match": ["*"],
  "if-range": ['"x"'],
  "content-length": ["0", "5", "+0", "0x0", "0, 0"],
  "transfer-encoding": ["chunked", "identity"],
  upgrade: ["websocket", "h2c"],
  connection: ["x-v", "close", "authorization"],
  "x-forwarded-host": ["evil.example"],
  "x-http-method-override": ["POST"],
  accept: ["text/html", "*/*"],
  "accept-encoding": ["gzip", "identity"],
  vary: ["*"],
  "x-cache": ["HIT"],
  age: ["1"],
  __proto__: ["x"],
  constructor: ["x"]
}
const identifying = ["x-v", "authorization", "cookie", "host"]
const names = Object.keys(pool).concat("__proto__", "x-other")

/** A request with an `x-id` of its own, and now and then one of these entity tags. */
export const requestOf = (dice: Dice, id: string, etags: ReadonlyArray<string>): Request => {
  const query = Array.from({ length: dice.below(3) }, () => dice.pick(pairs)).join("&")
  // Often the same, so that the rest must tell requests apart.
  const url = `${dice.chance(0.6) ? "/a" : dice.chance(0.4) ? "/odd" : dice.pick(paths)}${dice.chance(0.7) ? "" : `?${query}`}`
  const given: Array<readonly [string, string]> = [["x-id", id]]
  for (let n = dice.pick([0, 1, 1, 1, 2, 3]); n > 0; n--) {
    const name = dice.chance(0.5) ? dice.pick(identifying) : dice.pick(names)
    const values = Object.hasOwn(pool, name) ? pool[name]! : texts
    let value = dice.chance(0.5) ? dice.pick(values.slice(0, 6)) : dice.pick(values)
    if (dice.chance(0.05)) value += String.fromCharCode(dice.below(256))
    if (dice.chance(0.01)) value = value.repeat(500)
    given.push([name, value])
  }
  if (etags.length > 0 && dice.chance(0.1)) given.push(["if-none-match", dice.pick(etags)])
  const headers = Headers.fromInput(given)
  const method = dice.chance(0.85) ? "GET" : dice.pick(["HEAD", "HEAD", "POST", "PUT", "get", "PROPFIND", ""])
  const source = dice.chance(0.5) ? new globalThis.Request("http://localhost/") : {}
  return Object.create(HttpServerRequest.fromWeb(new globalThis.Request("http://localhost/")), {
    method: { value: method },
    headers: { value: headers },
    url: { value: url },
    originalUrl: { value: url },
    cookies: { value: Cookies.parseHeader(headers["cookie"] ?? "") },
    source: { value: source }
  })
}

/** What decides of storing and of ages, right and wrong. */
const said: Readonly<Record<string, ReadonlyArray<string>>> = {
  age: ["0", "5", "7200", "7200, 0", "0, 7200", "-1", "1.5", "x", "99999999999", "", " 5 ", "5,", ",5"],
  "cache-control": [
    "max-age=60",
    "max-age=0",
    "s-maxage=0, max-age=60",
    "max-age=60, max-age=0",
    'max-age="60"',
    "max-age=60;",
    "max-age=-1",
    "max-age=1e3",
    "max-age",
    "MAX-AGE=60",
    "public",
    "private",
    'private="x"',
    "no-cache",
    'no-cache="set-cookie"',
    "no-store",
    "must-understand, no-store",
    "stale-while-revalidate=5, max-age=1",
    `${"a=b,".repeat(300)}max-age=60`,
    'x="max-age=60, no-store"',
    ",,,"
  ],
  "cdn-cache-control": ["no-store", "max-age=60", "max-age=x", "private"],
  "content-encoding": ["gzip", "identity", "br, gzip", ""],
  "content-length": ["0", "5", "99999", "-1", "x"],
  connection: ["close", "x-a", "cache-control", ""],
  date: ["Thu, 01 Jan 1970 00:00:00 GMT", "Fri, 31 Dec 2199 23:59:59 GMT", "x", "", "0"],
  etag: ['"a"', 'W/"a"', "a", '"', "", '"a", "b"', '"\u00e9"', "*"],
  expires: [
    "0",
    "-1",
    "Thu, 01 Jan 1970 00:00:00 GMT",
    "Fri, 31 Dec 2199 23:59:59 GMT",
    "Friday, 31-Dec-99 23:59:59 GMT",
    "x",
    ""
  ],
  "last-modified": [
    "Thu, 01 Jan 1970 00:00:00 GMT",
    "Fri, 31 Dec 2199 23:59:59 GMT",
    "Thu Jan  1 00:00:00 1970",
    "x",
    ""
  ],
  location: ["/a", "//evil.example/a", "http://[", "", "\u00e9", "?a=1"],
  pragma: ["no-cache", ""],
  "set-cookie": ["id=1", ""],
  "transfer-encoding": ["chunked", ""],
  vary: ["*", "", ",", "X-Other", "x-v, *", "accept-language", "a b"],
  "x-a": ["", "x\r\ny: z", "\u0000", "\u0100", "\u00ff"],
  "x-cache": ["HIT"],
  "cache-status": ["x; hit", '"']
}

/** Headers of a response, the same for the same number. */
export const oddHeaders = (seed: number): Record<string, string> => {
  const dice = diceOf(seed)
  const names = Object.keys(said)
  return Object.fromEntries(
    Array.from({ length: dice.below(6) }, () => {
      const name = dice.pick(names)
      return [name, dice.pick(said[name]!)]
    })
  )
}
