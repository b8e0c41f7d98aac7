/**
 * Reads every import of src/, types included, and fails on a circle and on an import that does not point down.
 *
 * `node scripts/floors.mjs [folder]`. The folder has a src/ and a package.json; without one, it is this repository.
 * Plain JavaScript, so that any Node runs it.
 */
import { readdirSync, readFileSync } from "node:fs"
import * as path from "node:path"
import { fileURLToPath } from "node:url"
import { parseSync } from "oxc-parser"

/**
 * The floors, from the top. A room is a folder of src/, or a file beside them; it sees itself and all rooms of the
 * floors below, and no other room of its own floor. CONTRIBUTING.md draws the same.
 */
const floors = [
  ["index.ts", "redis", "http", "testing"],
  ["layers", "patterns"],
  ["engine", "stores"],
  ["protocol"],
  ["observe"],
  ["region"],
  ["services"],
  ["platform"],
  ["schema"],
  ["entry", "key"],
  ["internal"],
  ["CacheError.ts"]
]

/** Files at the top of src/ that are the face of a room, and belong to it. */
const faces = {
  "CacheRegion.ts": "region",
  "CacheConfig.ts": "region",
  "CacheEntry.ts": "entry",
  "CacheKey.ts": "key"
}

/**
 * Who of the floors above may import what of these two: files, or folders by a name that ends with a slash. So they meet in
 * one file, `layers/assemble.ts`; a pattern sees the contract of the engine and no store, and no layer but that file the engine.
 */
const doors = {
  engine: [
    ["layers/assemble.ts", "engine/"],
    ["patterns/", "engine/contract.ts"],
    ["patterns/call.ts", "engine/moment.ts"],
    ["http/", "engine/contract.ts"]
  ],
  stores: [
    ["layers/", "stores/"],
    ["redis/", "stores/redis/options/"],
    ["testing/", "stores/"]
  ]
}

const root = path.resolve(process.argv[2] ?? fileURLToPath(new URL("../", import.meta.url)))
const src = path.join(root, "src")
const manifest = JSON.parse(readFileSync(path.join(root, "package.json"), "utf8"))

const files = readdirSync(src, { recursive: true, withFileTypes: true })
  .filter((entry) => entry.isFile() && /\.[cm]?[jt]sx?$/.test(entry.name))
  .map((entry) => path.relative(src, path.join(entry.parentPath ?? entry.path, entry.name)).replaceAll(path.sep, "/"))
  .sort()
const known = new Set(files)

const roomOf = (file) => {
  const top = file.split("/")[0]
  return faces[top] ?? top
}
const floorOf = (file) => floors.findIndex((rooms) => rooms.includes(roomOf(file)))

const isIn = (file, place) => (place.endsWith("/") ? file.startsWith(place) : file === place)
const isBarred = (file, target) =>
  !(doors[roomOf(target)] ?? [[file, target]]).some(([from, to]) => isIn(file, from) && isIn(target, to))
const doorsOf = (room) => doors[room].map(([from, to]) => `${from} -> ${to}`).join(", ")

/** What is imported, with where it stands: `undefined` in place of a name that is made when the program runs. */
const importsOf = (file, text) => {
  const { comments, errors, program } = parseSync(file, text)
  if (errors.length > 0) throw new Error(errors[0].message)
  const found = []
  const lineOf = (at) => text.slice(0, at).split("\n").length
  for (const { start, type, value } of comments) {
    const reference = type === "Line" && /^\/\s*<reference\s[^>]*?\b(path|types)\s*=\s*(["'])(.*?)\2/.exec(value)
    if (!reference) continue
    const [, kind, , name] = reference
    // A path needs no `./` to be one.
    found.push({ line: lineOf(start), name: kind === "path" && !/^[./\\]|:/.test(name) ? `./${name}` : name })
  }
  const named = {
    ImportDeclaration: "source",
    ExportNamedDeclaration: "source",
    ExportAllDeclaration: "source",
    ImportExpression: "source",
    TSImportType: "source",
    TSExternalModuleReference: "expression"
  }
  const visit = (node) => {
    if (node === null || typeof node !== "object") return
    if (Array.isArray(node)) return node.forEach(visit)
    // `declare module "../a.ts"` adds to what is there; one without a text is a namespace.
    const name = node.type === "TSModuleDeclaration" && node.id.type === "Literal" ? node.id : node[named[node.type]]
    // `export { a }` has none.
    if (name !== undefined && name !== null) {
      const template = name.type === "TemplateLiteral" && name.expressions.length === 0
      found.push({ line: lineOf(name.start), name: template ? name.quasis[0].value.cooked : name.value })
    }
    Object.values(node).forEach(visit)
  }
  visit(program)
  return found.sort((one, other) => one.line - other.line)
}

/** All files that `imports` or `exports` of package.json lead to, under any condition. */
const leaves = (value) =>
  typeof value === "string" ? [value] : value === null ? [] : Object.values(value ?? {}).flatMap(leaves)
const sourceOf = (target) => target.replace(/^\.\/(src|dist)\//, "").replace(/(?<!\.d)\.js$/, ".ts")

/** Files of src/ that an import leads to; none for a package. */
const targetsOf = (file, name) => {
  if (/^\.\.?(\/|$)/.test(name)) return [path.posix.join(path.posix.dirname(file), name)]
  const own = manifest.name
  const mapped = name.startsWith("#")
    ? (manifest.imports?.[name] ?? "?")
    : name === own || name.startsWith(`${own}/`)
      ? (manifest.exports?.["." + name.slice(own.length)] ?? "?")
      : undefined
  if (mapped === undefined) return []
  return [...new Set(leaves(mapped).map(sourceOf))].filter((target) => !/\.(d\.ts|json)$/.test(target))
}

const arrows = new Map()
const findings = { unclear: [], up: [], aside: [] }
let imports = 0

for (const file of files) {
  const below = new Set()
  arrows.set(file, below)
  const here = floorOf(file)
  if (here < 0) findings.unclear.push(`src/${file}  is in a room that no floor has`)
  let found
  try {
    found = importsOf(file, readFileSync(path.join(src, file), "utf8"))
  } catch (error) {
    findings.unclear.push(`src/${file}  cannot be read: ${error.message}`)
    continue
  }
  for (const { line, name } of found) {
    const at = `src/${file}:${line}`
    if (name === undefined) {
      findings.unclear.push(`${at}  imports what only the running program knows`)
      continue
    }
    if (/^(file:|[/\\]|[a-z]:[/\\])/i.test(name)) {
      findings.unclear.push(`${at}  "${name}" is a place on one machine`)
      continue
    }
    for (const target of targetsOf(file, name)) {
      imports++
      if (!known.has(target)) {
        findings.unclear.push(`${at}  "${name}" is no file of src/`)
        continue
      }
      below.add(target)
      const [from, to, there] = [roomOf(file), roomOf(target), floorOf(target)]
      if (here < 0 || there < 0 || from === to) continue
      const arrow = `${at}  ${from} -> ${to}  "${name}"`
      if (here < there) {
        if (isBarred(file, target)) findings.aside.push(`${arrow}  has no door; there are: ${doorsOf(to)}`)
      } else if (there < here) findings.up.push(`${arrow}  points up: ${to} is above ${from}`)
      else findings.aside.push(`${arrow}  points aside: ${to} and ${from} are on one floor and do not see each other`)
    }
  }
}

/** The shortest way from a file back to itself, if there is one. */
const wayBack = (start) => {
  const from = new Map([[start, undefined]])
  for (const file of from.keys()) {
    for (const next of arrows.get(file)) {
      if (next === start) {
        const way = [start]
        for (let step = file; step !== undefined; step = from.get(step)) way.unshift(step)
        return way
      }
      if (!from.has(next)) from.set(next, file)
    }
  }
  return undefined
}

// A file of a circle that is told already is not told again; other circles it is part of show when that one is gone.
const circles = []
const told = new Set()
for (const file of files) {
  const way = told.has(file) ? undefined : wayBack(file)
  if (way === undefined || way.some((step) => told.has(step))) continue
  for (const step of way) told.add(step)
  circles.push(way.map((step) => `src/${step}`).join(" -> "))
}

const { aside, unclear, up } = findings
for (const line of [...unclear, ...up, ...aside]) console.log(line)
for (const circle of circles) console.log(`circle: ${circle}`)
console.log(
  `${files.length} files, ${imports} imports: ${circles.length} circles, ${up.length} arrows up, ${aside.length} aside` +
    (unclear.length > 0 ? `, ${unclear.length} unclear` : "")
)
process.exitCode = circles.length + up.length + aside.length + unclear.length > 0 ? 1 : 0
