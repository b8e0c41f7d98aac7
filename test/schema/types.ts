import { Schema } from "effect"

export class User extends Schema.Class<User>("User")({
  id: Schema.Int,
  at: Schema.Date,
  roles: Schema.ReadonlySet(Schema.String),
  big: Schema.BigInt,
  nick: Schema.optionalKey(Schema.String)
}) {
  get label() {
    return `u${this.id}`
  }
}
export const user = new User({ id: 1, at: new Date(5), roles: new Set(["a"]), big: 10n })

export interface Tree {
  readonly name: string
  readonly children: ReadonlyArray<Tree>
}
export const Tree: Schema.Codec<Tree> = Schema.Struct({
  name: Schema.String,
  children: Schema.Array(Schema.suspend((): Schema.Codec<Tree> => Tree))
})
