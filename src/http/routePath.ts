/**
 * The parameters in the path of a route, as the router reads it.
 */

/** The path without the patterns of its parameters, such as that of `:id(\d+)`. */
const withoutPatterns = (path: string): string => {
  let depth = 0
  let plain = ""
  for (let i = 0; i < path.length; i++) {
    const char = path[i]!
    if (depth > 0 && char === "\\") i++
    else if (char === "(") plain += depth++ === 0 ? "(" : ""
    else if (depth > 0 && char === ")") depth--
    else if (depth === 0) plain += char
  }
  return plain
}

/** Their names, that of a wildcard is `*`. `declared`: by an endpoint, where names are made of letters, digits and `_`. */
export const inPath = (path: string, declared = false): ReadonlyArray<string> =>
  [...withoutPatterns(path).matchAll(declared ? /::|:(\w+)|(\*)/g : /::|:([^/(.-]+)|(\*)/g)].flatMap(
    ([, name, wildcard]) => wildcard ?? name?.replace(/\?$/, "") ?? []
  )
