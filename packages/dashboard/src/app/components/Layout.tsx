/** What every page has around it: where one can go, whether changes are told, the palette, the theme. */
import { useQuery } from "@tanstack/react-query"
import { Link, Outlet, useNavigate, useRouterState } from "@tanstack/react-router"
import { useEffect, useRef, useState } from "react"
import { type Connection, useConnection, useLive } from "../api/live.ts"
import { info } from "../api/queries.ts"
import { signOut } from "../api/session.ts"
import { applyTheme, nextTheme, useTheme } from "../api/theme.ts"
import { places } from "../text/places.ts"
import { Button } from "./Button.tsx"
import { Dialog } from "./Dialog.tsx"
import { Icon } from "./Icon.tsx"
import { help, useKeys } from "./keys.ts"
import { Logo } from "./Logo.tsx"
import { Palette } from "./Palette.tsx"
import { Text } from "./Text.tsx"

export const Layout = () => {
  const [open, setOpen] = useState<"palette" | "help" | undefined>()
  const navigate = useNavigate()
  const watched = useRouterState({
    select: ({ location }) =>
      location.pathname === "/workflow" ? String((location.search as { readonly id?: string }).id ?? "") : ""
  })
  const page = useRouterState({ select: ({ location }) => location.pathname })
  const nav = useRef<HTMLElement>(null)
  useEffect(() => {
    // Not all of them fit on a telephone.
    nav.current?.querySelector("[aria-current]")?.scrollIntoView({ block: "nearest", inline: "center" })
  }, [page])
  useLive(watched === "" ? undefined : watched)
  useKeys({
    "?": () => setOpen("help"),
    ...Object.fromEntries(places.map(({ key, to }) => [key, () => void navigate({ to, search: {} })]))
  })
  return (
    <div className="layout">
      <a
        className="skip"
        href="#main"
        onClick={(event) => {
          event.preventDefault()
          document.getElementById("main")?.focus()
        }}
      >
        To the content
      </a>
      <header className="top">
        <Link to="/" className="top-logo" aria-label="Perdure, overview">
          <Logo />
        </Link>
        <nav ref={nav} aria-label="Pages" className="nav">
          {places.map(({ label, to }) => (
            <Link
              key={to}
              to={to}
              search={{}}
              className="nav-link"
              activeProps={{ className: "active", "aria-current": "page" }}
              activeOptions={{ exact: to === "/", includeSearch: false }}
            >
              {label}
            </Link>
          ))}
        </nav>
        <div className="top-tools">
          <button
            type="button"
            className="search-button"
            aria-label="Search and commands"
            onClick={() => setOpen("palette")}
          >
            <Icon name="search" size={14} />
            <span className="search-words">Search</span> <kbd>Ctrl K</kbd>
          </button>
          <Live />
          <ThemeButton />
          <Who />
        </div>
      </header>
      <main id="main" tabIndex={-1} className="main">
        <Outlet />
      </main>
      <Palette open={open === "palette"} setOpen={(isOpen) => setOpen(isOpen ? "palette" : undefined)} />
      {open === "help" ? <Help close={() => setOpen(undefined)} /> : null}
    </div>
  )
}

const words: Record<Connection, string> = {
  connecting: "Connecting: changes are asked for every few seconds",
  live: "Live: changes are shown as they happen",
  lost: "Not connected: changes are asked for every few seconds"
}

const Live = () => {
  const connection = useConnection()
  return (
    <span className={`connection ${connection}`} role="img" aria-label={words[connection]} title={words[connection]}>
      ●
    </span>
  )
}

const ThemeButton = () => {
  const theme = useTheme()
  const label = `Theme: ${theme}. Change it`
  return (
    <button
      type="button"
      className="icon-button"
      aria-label={label}
      title={label}
      onClick={() => applyTheme(nextTheme())}
    >
      <Icon name={theme === "system" ? "half" : theme === "light" ? "sun" : "moon"} />
    </button>
  )
}

const Who = () => {
  const { data } = useQuery(info)
  if (data === undefined) return null
  return (
    <>
      {data.readOnly ? <span className="badge idle" title="This server changes nothing">Read only</span> : null}
      {data.user === undefined ? null : (
        <span className="muted clip who">
          <Text>{data.user}</Text>
        </span>
      )}
      {data.session ? <Button tone="quiet" onClick={() => void signOut()}>Sign out</Button> : null}
    </>
  )
}

const Help = ({ close }: { readonly close: () => void }) => (
  <Dialog title="Keys" close={close}>
    <dl className="keys">
      {help.map(([keys, what]) => (
        <div key={keys}>
          <dt>{keys.split(" ").map((key) => <kbd key={key}>{key}</kbd>)}</dt>
          <dd>{what}</dd>
        </div>
      ))}
    </dl>
  </Dialog>
)
