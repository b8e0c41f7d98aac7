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

/** Everybody else sees one of the two at most. */
const meeting = { file: "layers/assemble.ts", rooms: ["engine", "stores"] }

const root = path.resolve(process.argv[2] ?? fileURLToPath(new URL("../", import.meta.url)))
const src = path.join(root, "src")
const manifest = JSON.parse(readFileSync(path.join(root, "package.json"), "utf8"))

const files = readdirSync(src, { recursive: true, withFileTypes: true })
  .filter((entry) => entry.isFile() && /\.[cm]?[jt]sx?$/.test(entry.name))
  .map((entry) => path.relative(src, path.join(entry.parentPath, entry.name)).replaceAll(path.sep, "/"))
  .sort()
const known = new Set(files)

const roomOf = (file) => {
  const top = file.split("/")[0]
  return faces[top] ?? top
}
const floorOf = (file) => floors.findIndex((rooms) => rooms.includes(roomOf(file)))

/** What is imported, with where it stands: `undefined` in place of a name that is made when the program runs. */
const importsOf = (file, text) => {
  const { errors, program } = parseSync(file, text)
  if (errors.length > 0) throw new Error(errors[0].message)
  const found = []
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
    const name = node[named[node.type]]
    // `export { a }` has none.
    if (name !== undefined && name !== null) {
      const template = name.type === "TemplateLiteral" && name.expressions.length === 0
      const line = text.slice(0, name.start).split("\n").length
      found.push({ line, name: template ? name.quasis[0].value.cooked : name.value })
    }
    Object.values(node).forEach(visit)
  }
  visit(program)
  return found
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
  const met = new Map()
  for (const { line, name } of found) {
    const at = `src/${file}:${line}`
    if (name === undefined) {
      findings.unclear.push(`${at}  imports what only the running program knows`)
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
      if (meeting.rooms.includes(to)) met.set(to, at)
      if (here < 0 || there < 0 || from === to || here < there) continue
      const arrow = `${at}  ${from} -> ${to}  "${name}"`
      if (there < here) findings.up.push(`${arrow}  points up: ${to} is above ${from}`)
      else findings.aside.push(`${arrow}  points aside: ${to} and ${from} are on one floor and do not see each other`)
    }
  }
  const [one, other] = meeting.rooms
  if (met.size === 2 && file !== meeting.file && !meeting.rooms.includes(roomOf(file))) {
    const where = `${met.get(one)} and ${met.get(other).split(":")[1]}`
    findings.aside.push(`${where}  ${one} and ${other} meet in ${meeting.file} only`)
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
