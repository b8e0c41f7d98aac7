/**
 * Required tests of the suite that fail, each with the reason. One that passes has to leave this list.
 */
const each = (reason: string, ...ids: ReadonlyArray<string>): Record<string, string> =>
  Object.fromEntries(ids.map((id) => [id, reason]))

export const expected: Readonly<Record<string, string>> = {
  ...each(
    "a handler is never asked whether what is stored still holds; it is run anew",
    "cc-resp-must-revalidate-stale",
    "conditional-etag-vary-headers",
    "304-lm-use-stored-Test-Header",
    "304-etag-update-response-Test-Header",
    "304-etag-update-response-X-Test-Header",
    "304-etag-update-response-Content-Foo",
    "304-etag-update-response-X-Content-Foo",
    "304-etag-update-response-Cache-Control",
    "304-etag-update-response-Content-Length"
  ),
  ...each("nothing is served once it is stale, so the test cannot begin", "stale-while-revalidate-window"),
  ...each("a cookie is for one client, so what sets one is not stored", "headers-store-Set-Cookie"),
  ...each("the HTTP client of Effect does not show interim responses, so none is passed on", "interim-not-cached")
}
