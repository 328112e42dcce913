/**
 * Groups: workflows that belong together, under names that begin alike, with roles that all of them ask for unless they
 * say otherwise.
 *
 * ```ts
 * const users = WorkflowGroup.make("users", { requiredRoles: ["user"] })
 * const ViewProfile = users.workflow("viewProfile", { success: Profile })
 * const DeleteAccount = users.workflow("deleteAccount", { requiredRoles: ["admin"] })
 * ```
 */
import type * as Schema from "effect/Schema"
import { checkKey, checkWorkflowName } from "./internal/names.ts"
import * as Workflow from "./Workflow.ts"

// -----------------------------------------------------------------------------
// models
// -----------------------------------------------------------------------------

/** A group of workflows. */
export interface WorkflowGroup<Group extends string> {
  readonly name: Group
  readonly requiredRoles: ReadonlyArray<string>

  /**
   * Defines the workflow `{group}.{name}`, as `Workflow.make` does. Its `requiredRoles` replace the group's; an empty list
   * asks for none.
   */
  readonly workflow: <
    const Name extends string,
    P extends Workflow.Storable | Schema.Struct.Fields | undefined = undefined,
    S extends Workflow.Storable | undefined = undefined,
    E extends Workflow.Storable | undefined = undefined
  >(
    name: Name,
    options?: Workflow.Options<P, S, E>
  ) => Workflow.Workflow<
    `${Group}.${Name}`,
    Workflow.PayloadOf<P>,
    Workflow.TypeOf<S, void>,
    Workflow.TypeOf<E, never>
  >
}

// -----------------------------------------------------------------------------
// constructors
// -----------------------------------------------------------------------------

/**
 * Makes a group. The whole name of a workflow, group, dot and name, is at most 256 bytes.
 *
 * Throws a `WorkflowError` (`InvalidArgument`) for what makes no sense.
 */
export const make = <const Group extends string>(
  name: Group,
  options: { readonly requiredRoles?: ReadonlyArray<string> | undefined } = {}
): WorkflowGroup<Group> => {
  const group = checkKey(name, "group name") as Group
  const requiredRoles = (options.requiredRoles ?? []).map((role) => checkKey(role, "required role"))
  return {
    name: group,
    requiredRoles,
    workflow: (name, given) =>
      Workflow.make(`${group}.${checkWorkflowName(name) as typeof name}`, {
        ...given,
        requiredRoles: given?.requiredRoles ?? requiredRoles
      })
  }
}
