/** A program of many regions, two functions each, to see what its types cost the compiler. */

const ofRegion = (i: number): string => {
  const params = "readonly tenant: string; readonly id: string"
  const region = [
    `const Row${i} = Schema.Struct({ id: Schema.String, tenant: Schema.String, f${i}: Schema.Number })`,
    `const Region${i} = CacheRegion.make({ key: "r${i}:{tenant}:{id}", schema: Row${i}, ttl: "5 minutes", ` +
      `tags: (row, { tenant }) => ["r${i}", \`\${tenant}:\${row.tenant}\`] })`,
    `const load${i} = ({ id, tenant }: { ${params} }) => Db.use((db) => db.one({ id, tenant, f${i}: 1 }))`,
    `export const get${i} = cacheAside(Region${i})(load${i})`
  ]
  const other =
    i % 2 === 0
      ? `export const set${i} = writeThrough(Region${i}, { invalidateTags: ({ value, params }) => [value.tenant, String(params.id)] })(` +
        `({ f, id, tenant }: { ${params}; readonly f: number }) => Db.use((db) => db.one({ id, tenant, f${i}: f })))`
      : `export const list${i} = stampedeProtect({ key: "list${i}:{0}:{1}", schema: Schema.Array(Row${i}), ` +
        `ttl: (rows) => (rows.length === 0 ? "1 minute" : "5 minutes") })(` +
        `(tenant: string, page: number) => Effect.map(load${i}({ tenant, id: String(page) }), (row) => [row]))`
  return [...region, other].join("\n")
}

export const largeProgram = (regions: number): string =>
  [
    'import { Context, Effect, Schema } from "effect"',
    'import { cacheAside, CacheRegion, stampedeProtect, writeThrough } from "../src/index.ts"',
    'class DbError extends Schema.TaggedError<DbError>()("DbError", {}) {}',
    'class Db extends Context.Service<Db, { readonly one: <A>(a: A) => Effect.Effect<A, DbError> }>()("Db") {}',
    ...Array.from({ length: regions }, (_, i) => ofRegion(i))
  ].join("\n")
