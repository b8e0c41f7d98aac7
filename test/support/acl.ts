/**
 * The Redis user of the cache with no more rights than it needs: the list of docs/security.md, which the tests run under.
 */

/** What each command is for. `CLIENT SETNAME` is tried too, and does without. */
export const cacheCommands = [
  // Read, claim, fill; the epoch and the markers.
  "get",
  "mget",
  "set",
  "unlink",
  "eval",
  "evalsha",
  // Within scripts: renewal, tags of entries, lifetimes of markers, the clock of the server.
  "pexpire",
  "persist",
  "pttl",
  "time",
  "type",
  // What writes are going to invalidate, and the index of it.
  "hset",
  "hget",
  "hdel",
  "hscan",
  "exists",
  "zadd",
  "zrem",
  "zrange",
  "zscore",
  // Patterns and clear.
  "scan",
  // Hints that a lease has ended.
  "publish",
  "subscribe",
  "unsubscribe",
  // The database, if it is not 0.
  "select",
  // The ready check, and the figures of getCacheStats.
  "info",
  "dbsize",
  // Connections that are idle, with `pingInterval`.
  "ping"
] as const

/** What Redis Cluster takes beside them: the map of slots, and of a slot that is on its way the other node and its commands. */
export const clusterCommands = ["cluster|slots", "cluster|nodes", "cluster|shards", "asking"] as const

export const cacheUser = { username: "cache", password: "secret" } as const
/** Who may do anything, for what a test does behind the back of the cache. */
export const operator = { username: "operator", password: "secret" } as const

/** The rule of the user of one namespace: its keys, the channels of its hints, and the commands. */
export const cacheRules = (
  namespace: string,
  commands: ReadonlyArray<string> = cacheCommands
): ReadonlyArray<string> => [
  "on",
  `>${cacheUser.password}`,
  "resetkeys",
  `~${namespace}:*`,
  "resetchannels",
  `&${namespace}:n:*`,
  "-@all",
  ...commands.map((command) => `+${command}`)
]

/** Lines of an ACL file: nobody comes in without a name, and the cache reaches its namespace alone. */
export const leastPrivilege = (namespace: string, commands?: ReadonlyArray<string>): ReadonlyArray<string> => [
  "user default off",
  `user ${operator.username} on >${operator.password} ~* &* +@all`,
  `user ${cacheUser.username} ${cacheRules(namespace, commands).join(" ")}`
]
