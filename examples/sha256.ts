/**
 * Hashes files on the machines of a Muster and prints each hash when it is there. No Effect needed.
 *
 * Start Muster with `npx muster dev`, then run this from the repository:
 *
 *     npx node examples/sha256.ts README.md LICENSE package.json
 */
import { Muster } from "@muster/client/Muster"
import { resolve } from "node:path"

const files = process.argv.length > 2 ? process.argv.slice(2) : ["README.md", "LICENSE", "package.json"]

// Without options it finds `muster dev` by the profile in the data directory, or uses MUSTER_URL and MUSTER_TOKEN.
await using muster = await Muster.connect()

const suite = await muster.createSuite({ name: "hashes of some files", labels: ["example"] })
const submitted = await suite.submit(
  files.map((file) => ({ program: "sha256sum", args: [resolve(file)], timeout: "30s", retry: { limit: 1 } }))
)
await suite.close()
console.error(`${submitted.count} tasks in suite ${suite.id}`)

const showProgress = async () => {
  for await (const { tasks } of suite.watch({ interval: 500 })) {
    console.error(`${tasks.total - tasks.pending} of ${tasks.total} settled, ${tasks.failed} failed`)
  }
}

const printResults = async () => {
  for await (const result of suite.results()) {
    if (result.state === "succeeded") process.stdout.write(result.stdout)
    else console.error(`${files[result.index]}: ${result.message ?? result.stderr.trim()}`)
  }
}

await Promise.all([showProgress(), printResults()])
const { tasks } = await suite.wait()
process.exitCode = tasks.failed === 0 ? 0 : 1
