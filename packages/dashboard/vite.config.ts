/** The build of the dashboard into `dist/app`: static files that work under any path, under a strict CSP. */
import { defineConfig } from "vite"

export default defineConfig({
  // Relative: the path that the server is mounted under is not known here.
  base: "./",
  // The contract comes from the server's sources, as in the tests.
  resolve: { conditions: ["perdure:source", "module", "browser", "development|production"] },
  build: {
    outDir: "dist/app",
    emptyOutDir: true,
    target: "es2024",
    // No `data:` address: the CSP has none.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    reportCompressedSize: false,
    // One page, loaded once and then kept by the browser: a second file would only be a second request.
    chunkSizeWarningLimit: 1000,
    rolldownOptions: {
      checks: { pluginTimings: false },
      // "use client" says something to servers that render React, and there is none.
      onLog: (level, log, log2) => log.code === "MODULE_LEVEL_DIRECTIVE" ? undefined : log2(level, log)
    }
  },
  logLevel: "warn"
})
