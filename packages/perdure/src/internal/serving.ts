/** What an executor has the code of, and so may claim; and that the store is told of it, for people to see. */
import * as Effect from "effect/Effect"
import type { Served } from "../Store.ts"
import type { Core, Registration } from "./core.ts"
import type { Definition } from "./definition.ts"

export class Serving {
  private readonly registry = new Map<string, Registration>()
  /** Of the application, as the last beat knew it. */
  private latestVersion: string | undefined
  /** What is served has changed since the store was told. */
  private untold = true
  private readonly core: Core

  constructor(core: Core) {
    this.core = core
  }

  get isEmpty(): boolean {
    return this.registry.size === 0
  }

  get(name: string): Registration | undefined {
    return this.registry.get(name)
  }

  get definitions(): ReadonlyArray<Definition> {
    return [...this.registry.values()].map(({ definition }) => definition)
  }

  add(registration: Registration): void {
    this.registry.set(registration.definition.name, registration)
    this.untold = true
  }

  remove(name: string): void {
    this.registry.delete(name)
    this.untold = true
  }

  /** Under this incarnation nothing has been told. */
  joined(): void {
    this.untold = true
  }

  /** Returns whether that is news. */
  latestIs(version: string): boolean {
    if (version === this.latestVersion) return false
    this.latestVersion = version
    this.untold = true
    return true
  }

  /** Every name in every version that this code can run; and those of no version, where it takes itself for the latest. */
  get served(): ReadonlyArray<Served> {
    const { compatible, version } = this.core.settings
    const versions = new Set([version, ...compatible])
    if (version === this.latestVersion) versions.add("")
    return [...this.registry.keys()].flatMap((name) => [...versions].map((version) => ({ name, version })))
  }

  /** For people to see, so it may fail, and be told later. */
  tell(incarnation: string): Effect.Effect<void> {
    return Effect.suspend(() => {
      if (!this.untold) return Effect.void
      this.untold = false
      return this.core.store.serve(incarnation, this.served, this.core.settings.queues).pipe(
        Effect.catchCause(() =>
          Effect.sync(() => {
            this.untold = true
          })
        )
      )
    })
  }
}
