/** Asks for the token. It is typed or pasted; an address never holds one. */
import { useState } from "react"
import { signIn } from "../api/session.ts"
import { Button } from "../components/Button.tsx"
import { Field } from "../components/Field.tsx"
import { Logo } from "../components/Logo.tsx"
import { Problem } from "../components/States.tsx"

export const SignIn = () => {
  const [token, setToken] = useState("")
  const [state, setState] = useState<{ readonly busy: boolean; readonly error: unknown }>({
    busy: false,
    error: undefined
  })
  const go = () => {
    setState({ busy: true, error: undefined })
    signIn(token).catch((error: unknown) => setState({ busy: false, error }))
  }
  return (
    <main className="alone">
      <form
        className="card stack sign-in"
        onSubmit={(event) => {
          event.preventDefault()
          if (token !== "" && !state.busy) go()
        }}
      >
        <Logo />
        <h1>Sign in</h1>
        <p className="muted">
          Paste the token of this server. It is printed where the server starts, or set in its configuration.
        </p>
        <Field label="Token">
          {(id) => (
            <input
              id={id}
              className="input"
              type="password"
              autoComplete="current-password"
              // oxlint-disable-next-line jsx-a11y/no-autofocus -- the only thing to do here
              autoFocus
              value={token}
              onChange={(event) => setToken(event.currentTarget.value)}
            />
          )}
        </Field>
        {state.error === undefined ? null : <Problem error={state.error} />}
        <Button type="submit" tone="primary" disabled={token === "" || state.busy}>
          {state.busy ? "Signing in…" : "Sign in"}
        </Button>
      </form>
    </main>
  )
}
