/**
 * Redis URLs: one server, the seeds of a cluster, or sentinels and the name of their primary.
 */
import { isIPv6 } from "node:net"
import { percentEncode, seemsUnencoded } from "../../../region/checks.ts"

/** Where a server, a node of a cluster, or a sentinel listens. */
export interface Address {
  readonly host: string
  readonly port: number
}

export interface UrlParts {
  readonly mode: "standalone" | "cluster" | "sentinel"
  readonly secure: boolean
  /** At least one. */
  readonly addresses: readonly [Address, ...ReadonlyArray<Address>]
  readonly username: string | undefined
  readonly password: string | undefined
  readonly db: number | undefined
  /** With sentinels: the name of the primary. */
  readonly primaryName: string | undefined
}

const forms = {
  standalone: "redis://[user[:password]@]host[:port][/db], or rediss:// for TLS",
  cluster: "redis+cluster://[user[:password]@]host[:port][,host[:port]...], or rediss+cluster:// for TLS",
  sentinel:
    "redis+sentinel://[user[:password]@]host[:port][,host[:port]...]/name[/db] with the sentinels' addresses, " +
    "or rediss+sentinel:// for TLS"
}

const shape = /^(rediss?)(?:\+(cluster|sentinel))?:\/\/(?:([^/?#]*)@)?([^@/?#]*)(\/[^?#]*)?([?#].*)?$/i

/** A host as it is looked up: an IPv6 address without its brackets. */
export const withoutBrackets = (host: string): string => {
  const inner = /^\[(.*)\]$/.exec(host)?.[1]
  return inner !== undefined && isIPv6(inner) ? inner : host
}

/** What is said of an address that cannot be read. */
export const addressForm = "host or host:port, an IPv6 host in brackets"

/** One `host[:port]`. Hosts come back as they are looked up: lower case, IPv6 without brackets. */
export const parseAddress = (text: string, defaultPort: number): Address | undefined => {
  // A path or a user would be parsed too, and is no address.
  if (text === "" || /[/@?#\s\\]/.test(text) || !URL.canParse(`redis://${text}`)) return undefined
  const { hostname, port } = new URL(`redis://${text}`)
  if (hostname === "" || port === "0") return undefined
  return { host: withoutBrackets(hostname), port: port === "" ? defaultPort : Number(port) }
}

/** Parses a URL. Otherwise: what was expected of it. What was given is never shown: it may hold a password. */
export const parseUrl = (input: string): UrlParts | string => {
  const text = input.trim()
  const found = shape.exec(text)
  if (found === null) return forms.standalone
  const [, scheme, kind, user, hosts, path = "", rest] = found
  const mode = (kind?.toLowerCase() ?? "standalone") as UrlParts["mode"]
  const form = forms[mode]
  // Before anything else is said, or done: what looks like a host here may be the beginning of a password.
  if (seemsUnencoded(text)) return `${form}; ${percentEncode}`
  if (rest !== undefined) return `${form}, without a query; use the options instead`
  if (hosts!.split(",").some((host) => isIPv6(host))) return `${form}; put an IPv6 address in brackets`
  if (hosts === "" || hosts!.startsWith(":")) return `${form}; the host is missing`
  const addresses = hosts!.split(",").map((host) => parseAddress(host, mode === "sentinel" ? 26_379 : 6379))
  const [first, ...others] = addresses
  if (first === undefined || others.includes(undefined) || (mode === "standalone" && others.length > 0)) return form
  const parts = path.split("/").slice(1)
  if (parts.at(-1) === "") parts.pop()
  let primaryName: string | undefined
  let username: string | undefined
  let password: string | undefined
  try {
    if (mode === "sentinel") primaryName = decodeURIComponent(parts.shift() ?? "")
    const colon = user?.indexOf(":") ?? -1
    username = decodeURIComponent(colon === -1 ? (user ?? "") : user!.slice(0, colon))
    password = colon === -1 ? undefined : decodeURIComponent(user!.slice(colon + 1))
  } catch {
    return `${form}; ${mode === "sentinel" ? "the name too: " : ""}${percentEncode}`
  }
  if (primaryName === "") return `${form}; the name of the primary is missing`
  const [db, ...more] = parts
  if (more.length > 0 || (db !== undefined && !/^\d{1,6}$/.test(db))) return `${form}; db is not a number`
  return {
    mode,
    secure: scheme!.toLowerCase() === "rediss",
    addresses: [first, ...(others as ReadonlyArray<Address>)],
    username: username || undefined,
    password: password || undefined,
    db: db === undefined ? undefined : Number(db),
    primaryName
  }
}
