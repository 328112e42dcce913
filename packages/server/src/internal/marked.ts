/**
 * What a workflow's own schemas say must not be shown: fields that are `Schema.Redacted`, as paths of redaction. Pure.
 *
 * The paths are of the encoded value, which is what is stored and shown. Where a schema transforms a value so that a field
 * cannot be followed into it, all of that value is named: rather too much than too little.
 */
import * as Schema from "effect/Schema"
import type * as SchemaAST from "effect/SchemaAST"
import type { DefinitionSchemas } from "perdure/Client"
import type { Pattern } from "./redaction.ts"

type Paths = ReadonlyArray<Pattern>

/** The paths of a workflow with these schemas. */
export const markedIn = ({ error, payload, success }: DefinitionSchemas): Paths => [
  ...below("payload", pathsIn(payload)),
  ...below("success", pathsIn(success)),
  ...pathsIn(error).flatMap(ofFailure)
]

/** An error that is no object stands in a field of its own. */
const ofFailure = (path: Pattern): Paths =>
  path.length === 0 ? [["failure"]] : [["failure", "fields", ...path], ["failure", "fields", "value", ...path]]

const below = (segment: string, paths: Paths): Paths => paths.map((path) => [segment, ...path])

// By schema: they are asked for with every request, and do not change.
const kept = new WeakMap<object, Paths>()

const pathsIn = (schema: DefinitionSchemas["payload"]): Paths => {
  if (schema === undefined) return []
  const known = kept.get(schema)
  if (known !== undefined) return known
  const paths = walk(Schema.toCodecJson(schema).ast, { within: [], recursive: new Set(), done: new Map() })
  kept.set(schema, paths)
  return paths
}

// -----------------------------------------------------------------------------
// the walk
// -----------------------------------------------------------------------------

interface Walk {
  /** What the walk is in, outermost first. */
  readonly within: ReadonlyArray<SchemaAST.AST>
  /** What holds itself. */
  readonly recursive: Set<SchemaAST.AST>
  /** What has been walked: both sides of nested classes have the same inside. */
  readonly done: Map<SchemaAST.AST, Paths>
}

/** No schema that people write is so deep; one that makes new schemas of itself without end is. */
const deepest = 64

const whole: Paths = [[]]

const isRedacted = ({ annotations }: SchemaAST.AST): boolean => {
  const representation: unknown = annotations?.["representation"]
  return typeof representation === "object" && representation !== null && "id" in representation &&
    representation.id === "effect/schema/Redacted"
}

const walk = (ast: SchemaAST.AST, { done, recursive, within }: Walk): Paths => {
  if (isRedacted(ast) || within.length > deepest) return whole
  const known = done.get(ast)
  if (known !== undefined) return known
  if (within.includes(ast)) {
    recursive.add(ast)
    return []
  }
  const state: Walk = { within: [...within, ast], recursive, done }
  const paths = ast.encoding === undefined ? inside(ast, state) : encoded(ast, ast.encoding, state)
  // What is in something that holds itself is cut short there.
  if (recursive.size === 0) done.set(ast, paths)
  // What holds itself has each of them at every depth.
  return recursive.has(ast) ? below("**", paths) : paths
}

/** What is stored of a transformed value is what its last encoding gives. */
const encoded = (ast: SchemaAST.AST, encoding: SchemaAST.Encoding, state: Walk): Paths => {
  const stages = encoding.map(({ to }) => walk(to, state))
  const stored = stages.at(-1) ?? []
  const before = [inside(ast, state), ...stages.slice(0, -1)]
  return before.some((paths) => paths.length > stored.length) ? whole : stored
}

const inside = (ast: SchemaAST.AST, state: Walk): Paths => {
  switch (ast._tag) {
    case "Objects":
      return [
        ...ast.propertySignatures.flatMap(({ name, type }) => below(String(name), walk(type, state))),
        ...ast.indexSignatures.flatMap(({ type }) => below("*", walk(type, state)))
      ]
    case "Arrays":
      return [
        ...ast.elements.flatMap((type, index) => below(String(index), walk(type, state))),
        ...ast.rest.flatMap((type) => below("*", walk(type, state)))
      ]
    case "Union":
      return ast.types.flatMap((type) => walk(type, state))
    case "Suspend":
      return walk(ast.thunk(), state)
    case "Declaration":
      // Without an encoding nobody knows where they are in it.
      return ast.typeParameters.some((type) => walk(type, state).length > 0) ? whole : []
    default:
      return []
  }
}
