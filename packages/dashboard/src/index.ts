/** Where the built dashboard is: static files, to be served under any path. `index.html` is the only page. */

/** The folder, ending in a slash. Its files are there once the package is built. */
export const directory: URL = new URL("../dist/app/", import.meta.url)
