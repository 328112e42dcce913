/** The page: everything below is rendered into it. */
import { StrictMode } from "react"
import { createRoot } from "react-dom/client"
import "./styles/tokens.css"
import "./styles/base.css"

createRoot(document.getElementById("app")!).render(
  <StrictMode>
    <p>Perdure</p>
  </StrictMode>
)
