import { assert, describe, it } from "@effect/vitest"
import { diagnose } from "../../src/EmbeddedPostgres/Diagnosis.ts"

describe("Diagnosis", () => {
  it.each([
    [
      "initdb: error while loading shared libraries: libicuuc.so.60: cannot open shared object file: No such file",
      "MissingLibrary"
    ],
    [
      `LOG:  could not bind IPv4 address "127.0.0.1": Address already in use\nFATAL:  could not create any TCP/IP sockets`,
      "PortInUse"
    ],
    [`FATAL:  pre-existing shared memory block (key 5, ID 7) is still in use`, "DirectoryInUse"],
    [`HINT:  Is another postmaster (PID 9) running in data directory "/d"?`, "DirectoryInUse"],
    [`FATAL:  lock file "postmaster.pid" already exists`, "DirectoryInUse"],
    [`FATAL:  could not write to file "pg_wal/xlogtemp.9": No space left on device`, "DiskFull"],
    [`initdb: error: could not access directory "/x": Permission denied`, "Permission"]
  ])("explains %j", (output, reason) => {
    assert.strictEqual(diagnose(output, "exit code 1").reason, reason)
  })

  it("names the library that is missing", () => {
    const { detail } = diagnose("postgres: error while loading shared libraries: libz.so.1: no", "exit code 127")
    assert.include(detail, "libz.so.1")
  })

  it("shows the last words and the end of a failure it does not know", () => {
    const { detail, reason } = diagnose("1\n2\n3\n4\n5\n6\nFATAL: odd\n", "signal SIGSEGV")
    assert.strictEqual(reason, "Failed")
    assert.include(detail, "signal SIGSEGV")
    assert.include(detail, "FATAL: odd")
    assert.notInclude(detail, "2\n")
  })
})
