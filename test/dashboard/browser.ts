/**
 * A headless Chromium: the machine's own, else the one in the npm package `@sparticuz/chromium` (Linux on x64), with the
 * libraries that it brings where the machine lacks them. Nothing is downloaded.
 */
import { spawnSync } from "node:child_process"
import { chmodSync, existsSync, mkdirSync, renameSync, rmSync } from "node:fs"
import { createRequire } from "node:module"
import { delimiter, dirname, join } from "node:path"
import { type Browser, chromium } from "playwright-core"

const names = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome"]
const places = [
  "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
  "/Applications/Chromium.app/Contents/MacOS/Chromium",
  "C:\\Program Files\\Google\\Chrome\\Application\\chrome.exe",
  "C:\\Program Files (x86)\\Microsoft\\Edge\\Application\\msedge.exe"
]

interface Program {
  readonly path: string
  readonly env: Readonly<Record<string, string>>
}

const onMachine = (): string | undefined => {
  const given = process.env["CHROMIUM"]
  if (given !== undefined) return given
  const folders = (process.env["PATH"] ?? "").split(delimiter)
  return [...folders.flatMap((folder) => names.map((name) => join(folder, name))), ...places].find((path) =>
    existsSync(path)
  )
}

const cache = join(import.meta.dirname, "../../node_modules/.cache/perdure-chromium")

/** Somebody else may have been quicker; what he has put there is the same. */
const moveUnlessThere = (from: string, to: string): void => {
  try {
    renameSync(from, to)
  } catch (error) {
    if (!existsSync(to)) throw error
  }
}

/** Unpacks once, into a folder of its own, so that two test runs at once do not meet half of it. */
const fromPackage = async (): Promise<Program> => {
  if (process.platform !== "linux" || process.arch !== "x64") {
    throw new Error("There is no Chromium on this machine. Install one, or give its path as CHROMIUM.")
  }
  if (!existsSync(cache)) {
    const folder = `${cache}.${process.pid}`
    mkdirSync(folder, { recursive: true })
    const before = process.env["TMPDIR"]
    try {
      // The package unpacks into the folder for temporary files.
      process.env["TMPDIR"] = folder
      const { inflate } = await import("@sparticuz/chromium")
      const bin = join(dirname(createRequire(import.meta.url).resolve("@sparticuz/chromium")), "../bin")
      for (const file of ["chromium.br", "fonts.tar.br", "al2023.tar.br"]) await inflate(join(bin, file))
      chmodSync(join(folder, "chromium"), 0o755)
      moveUnlessThere(folder, cache)
    } finally {
      if (before === undefined) delete process.env["TMPDIR"]
      else process.env["TMPDIR"] = before
      rmSync(folder, { recursive: true, force: true })
    }
  }
  const path = join(cache, "chromium")
  const lacks = /not found/.test(spawnSync("ldd", [path], { encoding: "utf8" }).stdout ?? "not found")
  return {
    path,
    env: {
      ...(lacks ? { LD_LIBRARY_PATH: join(cache, "al2023/lib") } : {}),
      ...(existsSync("/etc/fonts/fonts.conf") ? {} : { FONTCONFIG_PATH: join(cache, "fonts") })
    }
  }
}

/** Starts one. It is ended by `close`, and by the end of this process. */
export const launch = async (): Promise<Browser> => {
  const path = onMachine()
  const program: Program = path === undefined ? await fromPackage() : { path, env: {} }
  return chromium.launch({
    executablePath: program.path,
    timeout: 110_000,
    env: { ...process.env, ...program.env },
    // It shows pages of these tests only, and runs as whoever runs them, root too.
    args: [
      "--no-sandbox",
      "--disable-gpu",
      "--disable-quic",
      "--disable-background-networking",
      "--disable-component-update"
    ]
  })
}
