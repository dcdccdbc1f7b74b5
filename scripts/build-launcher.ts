/**
 * Builds the program that starts commands (`packages/worker/launcher/launcher.c`) for each platform whose compiler is here.
 * The results are committed, because users have no compiler; a test builds them again and compares.
 *
 *     node scripts/build-launcher.ts [DIRECTORY]
 *
 * needs Debian 12 with `gcc musl-dev` for x64 and `gcc-aarch64-linux-gnu musl-dev:arm64` for arm64 (the latter after
 * `dpkg --add-architecture arm64`, or unpacked anywhere and named by MUSL_ARM64_ROOT). Prints one line for each platform:
 * `linux-x64 built`, or `linux-arm64 skipped: why`.
 *
 * Other versions of the compiler or of the C library make other bytes of the same source, so without exactly those that
 * made the committed ones nothing is built here. To take new ones, change the versions below and commit what comes of it.
 */
import { spawnSync } from "node:child_process"
import { existsSync } from "node:fs"
import { join, resolve } from "node:path"
import { fileURLToPath } from "node:url"

const home = fileURLToPath(new URL("../packages/worker/launcher/", import.meta.url))
const directory = resolve(process.argv[2] ?? home)

interface Target {
  readonly platform: string
  readonly compiler: string
  readonly triple: string
  /** What stands before `/usr/include` and `/usr/lib`. */
  readonly root: string
  /** Debian packages and their versions, of which two systems make the same bytes. */
  readonly packages: Readonly<Record<string, string>>
}

const armRoot = process.env["MUSL_ARM64_ROOT"]

const targets: ReadonlyArray<Target> = [
  {
    platform: "linux-x64",
    compiler: "x86_64-linux-gnu-gcc-12",
    triple: "x86_64-linux-musl",
    root: "",
    packages: { "gcc-12": "12.2.0-14+deb12u1", binutils: "2.40-2", "musl-dev:amd64": "1.2.3-1" }
  },
  {
    platform: "linux-arm64",
    compiler: "aarch64-linux-gnu-gcc-12",
    triple: "aarch64-linux-musl",
    root: armRoot ?? "",
    packages: {
      "gcc-12-aarch64-linux-gnu": "12.2.0-14cross1",
      "binutils-aarch64-linux-gnu": "2.40-2",
      ...(armRoot === undefined ? { "musl-dev:arm64": "1.2.3-1" } : {})
    }
  }
]

const flags = [
  "-std=c11",
  "-Os",
  "-Wall",
  "-Wextra",
  "-Werror",
  // Small: nothing to debug or to unwind, nothing that nobody calls, no padding between parts.
  "-fno-asynchronous-unwind-tables",
  "-ffunction-sections",
  "-fdata-sections",
  "-Wl,--gc-sections,-z,noseparate-code,-z,norelro",
  "-s",
  // The same bytes whoever builds, and wherever.
  "-fno-ident",
  "-Wl,--build-id=none",
  // No part of the compiler's own C library.
  "-static",
  "-no-pie",
  "-nostdinc",
  "-nostdlib"
]

const versionOf = (name: string): string | undefined => {
  const { status, stdout } = spawnSync("dpkg-query", ["--show", "--showformat=${Version}", name], { encoding: "utf8" })
  return status === 0 && stdout !== "" ? stdout : undefined
}

/** Why a platform cannot be built here, or nothing. */
const obstacle = ({ packages, root, triple }: Target): string | undefined => {
  for (const [name, wanted] of Object.entries(packages)) {
    const version = versionOf(name)
    if (version === undefined) return `${name} is not installed`
    if (version !== wanted) return `${name} is ${version}, the committed binary was built with ${wanted}`
  }
  return existsSync(join(root, "/usr/lib", triple, "libc.a")) ? undefined : `there is no musl for ${triple}`
}

const build = ({ compiler, platform, root, triple }: Target) => {
  const library = (name: string) => join(root, "/usr/lib", triple, name)
  const libgcc = spawnSync(compiler, ["-print-libgcc-file-name"], { encoding: "utf8" }).stdout.trim()
  const { status } = spawnSync(
    compiler,
    [
      ...flags,
      "-isystem",
      join(root, "/usr/include", triple),
      "-o",
      join(directory, platform),
      library("crt1.o"),
      library("crti.o"),
      "launcher.c",
      library("libc.a"),
      libgcc,
      library("crtn.o")
    ],
    { cwd: home, stdio: ["ignore", "inherit", "inherit"], env: { ...process.env, LC_ALL: "C" } }
  )
  if (status !== 0) process.exit(1)
}

for (const target of targets) {
  const why = obstacle(target)
  if (why === undefined) build(target)
  console.log(`${target.platform} ${why === undefined ? "built" : `skipped: ${why}`}`)
}
