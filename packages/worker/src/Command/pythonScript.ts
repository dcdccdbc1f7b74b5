/**
 * The Python side of `PythonLauncher`, as text so that a bundled worker is one file. Python 3.8 or newer.
 *
 * It reads requests from descriptor 3 (see `encode`) and answers with lines: `ready`, `refused <errno>` or
 * `ended <pid> <wait status> <peak KiB> <1 if its group is not empty>`. One program at a time: the next request is read
 * when the last program has ended.
 */
export const script = String.raw`
import os, sys
HUP, INT, QUIT, KILL, PIPE, TERM, XFSZ = 1, 2, 3, 9, 13, 15, 25

def ignore(*signals):
    import _signal
    for number in signals:
        _signal.signal(number, _signal.SIG_IGN)

def receive():
    data = os.read(3, 65536)
    if not data:
        sys.exit(0)
    end = 4 + int.from_bytes(data[:4], "big")
    while len(data) < end:
        more = os.read(3, max(65536, end - len(data)))
        if not more:
            sys.exit(0)
        data += more
        end = 4 + int.from_bytes(data[:4], "big")
    fields = data[4:].split(b"\0")
    fields.pop()
    return fields

def variables(assignments):
    found = {}
    for assignment in assignments:
        name, _, value = assignment.partition(b"=")
        found[name] = value
    return found

def main():
    os.set_inheritable(3, False)
    current = os.open(sys.argv[1], os.O_WRONLY)
    # Signals for groups of processes are not for it: it ends with its worker.
    ignore(HUP, INT, QUIT, TERM)
    defaults = (HUP, INT, QUIT, PIPE, TERM, XFSZ)
    base = variables(receive())
    os.write(3, b"ready\n")
    while True:
        fields = receive()
        cwd, stdin, stdout, stderr = fields[:4]
        first = 5 + int(fields[4])
        env = base.copy()
        env.update(variables(fields[5:first]))
        actions = [(os.POSIX_SPAWN_OPEN, 1, stdout, os.O_WRONLY, 0), (os.POSIX_SPAWN_OPEN, 2, stderr, os.O_WRONLY, 0)]
        if stdin:
            actions.append((os.POSIX_SPAWN_OPEN, 0, stdin, os.O_RDONLY, 0))
        try:
            os.chdir(cwd)
            pid = os.posix_spawn(fields[first], fields[first + 1:], env, file_actions=actions, setsid=True, setsigdef=defaults)
        except OSError as error:
            os.write(3, b"refused %d\n" % error.errno)
            continue
        os.pwrite(current, b"%-10d\n" % pid, 0)
        _, status, usage = os.wait4(pid, 0)
        try:
            os.killpg(pid, 0)
            leftovers = 1
        except ProcessLookupError:
            leftovers = 0
        except OSError:
            leftovers = 1
        os.pwrite(current, b"%-10d\n" % 0, 0)
        os.write(3, b"ended %d %d %d %d\n" % (pid, status, usage.ru_maxrss, leftovers))

main()
`
