/** Groups of workflows, and the roles that they ask for. */
import { assert } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as Auth from "perdure/Auth"
import type * as Workflow from "perdure/Workflow"
import * as WorkflowContext from "perdure/WorkflowContext"
import * as WorkflowGroup from "perdure/WorkflowGroup"
import { expectTypeOf } from "vitest"
import { onBothStores } from "./harness.ts"
import { reasonOf } from "./observing.ts"

const users = WorkflowGroup.make("users", { requiredRoles: ["user"] })
const ViewProfile = users.workflow("viewProfile", { success: Schema.String })
const DeleteAccount = users.workflow("deleteAccount", { payload: { id: Schema.Number }, requiredRoles: ["admin"] })
const Help = users.workflow("help", { requiredRoles: [] })
const lives = [
  ViewProfile.toLayer(() =>
    Effect.map(WorkflowContext.current, ({ assumedRole, user }) => `${user} as ${assumedRole}`)
  ),
  DeleteAccount.toLayer(() => Effect.void),
  Help.toLayer(() => Effect.void)
]
const as = (user: string, ...roles: ReadonlyArray<string>) => Effect.provide(Auth.layer({ user, roles }))

onBothStores("groups", (claim) => {
  claim(
    "members ask for the group's roles, unless they ask for others",
    Effect.fnUntraced(function*(given) {
      const { use } = yield* given.engine(lives)
      assert.strictEqual(yield* use(ViewProfile.execute().pipe(as("ada", "user"))), "ada as user")
      const denied = yield* reasonOf(use(DeleteAccount.execute({ id: 1 }).pipe(as("ada", "user"))))
      assert.deepStrictEqual([denied._tag, denied.requiredRoles], ["WorkflowUnauthorized", ["admin"]])
      yield* use(DeleteAccount.execute({ id: 1 }).pipe(as("ada", "admin", "user")))
      const nobody = yield* reasonOf(use(ViewProfile.execute()))
      assert.deepStrictEqual([nobody._tag, nobody.user], ["WorkflowUnauthorized", null])
      yield* use(Help.execute())
    })
  )

  claim(
    "the name is the group's, a dot, and the member's, in the type too",
    Effect.fnUntraced(function*() {
      expectTypeOf(DeleteAccount).toEqualTypeOf<
        Workflow.Workflow<"users.deleteAccount", { readonly id: number }, void, never>
      >()
      assert.deepStrictEqual([ViewProfile.name, Help.name], ["users.viewProfile", "users.help"])
      assert.throws(() => WorkflowGroup.make(""), /group name/)
      assert.throws(() => users.workflow(""), /workflow name/)
      assert.throws(() => users.workflow("x".repeat(256)), /workflow name/)
      assert.throws(() => WorkflowGroup.make("g", { requiredRoles: [""] }), /required role/)
      yield* Effect.void
    })
  )
})
