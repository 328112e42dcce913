/** Says what the server left out, so that nobody takes it for missing. */
import { Text } from "./Text.tsx"

export const Redacted = ({ paths }: { readonly paths: ReadonlyArray<string> }) =>
  paths.length === 0
    ? null
    : (
      <p className="small muted">
        Redacted by this server: <Text mono>{paths.join(", ")}</Text>
      </p>
    )
