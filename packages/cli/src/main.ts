#!/usr/bin/env node
/** The program `perdure`. */
import { enableCompileCache } from "node:module"

// Most of a short command is the compiling of what it is made of.
enableCompileCache()
// So that it is there before anything else is loaded.
const { start } = await import("./program.ts")
start()
