/** The page: everything below is rendered into it. */
import { StrictMode } from "react"
import { createRoot } from "react-dom/client"
import { applyTheme } from "./api/theme.ts"
import { App } from "./App.tsx"
import "./styles/tokens.css"
import "./styles/base.css"
import "./styles/layout.css"
import "./styles/components.css"
import "./styles/pages.css"

applyTheme()
createRoot(document.getElementById("app")!).render(
  <StrictMode>
    <App />
  </StrictMode>
)
