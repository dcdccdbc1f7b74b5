/*
 * Starts commands for one worker, one after the other, and tells how each of them ended.
 *
 * Why a program of its own, and in C: starting a program costs what its starter weighs. Node copies its page tables for
 * each command; this process weighs 200 KB and copies nothing (vfork). And it goes on to the next command by itself, so
 * that a flood of short ones costs no round trip each.
 *
 * Usage: launcher VERSION WORKER CURRENT, with the channel to the worker as descriptor 3, a stream socket.
 * VERSION is that of the messages below, WORKER the process id of the worker, with which this process dies, and CURRENT
 * the file that names the running command for whoever has to clean up.
 *
 * A message is a length (32 bits, of all that follows), a kind (one byte) and a body. Numbers are little-endian.
 *
 * To here:
 *   E  the environment of all commands that follow: assignments, each ended by a NUL
 *   D  directories that commands must leave empty and with the mode that they have now: paths, each ended by a NUL
 *   R  run a command, when those before it have ended: its id (32 bits) and fields. A field is one byte that says which,
 *      text, and a NUL. Some come more than once.
 *        p  program, a path      0  name that it is called by        a  argument
 *        e  assignment, which wins over the environment of all       d  working directory
 *        <  file for standard input (else the end at once)           t  milliseconds after which it is told as started
 *   W  forget the commands that have not begun
 *   T  kill the worker, and with it all that it runs, if it has said nothing else by this time of the boot clock: a double,
 *      0 for never
 *   L  let go of the command that ended uncleanly, and take commands again
 *
 * From here:
 *   r  ready
 *   s  started: struct started. Only of a command that has run for a while.
 *   o  standard output of the running command: bytes
 *   e  its standard error
 *   x  ended: struct ended
 *   f  refused by the system: struct refused
 *   w  forgotten: their ids
 *   l  let go: one byte, 1 if something still has the output open
 *
 * Clean is an end after which the next command finds everything as the one before did: its group of processes is empty,
 * its output has come to its end, the directories are as they were. After any other end, and after a refusal, commands
 * that wait are forgotten, and so are those that come, until L. What is to become of them is for the worker to say.
 *
 * The worker hangs if it lets the time of T pass. With a kill nothing waits for it: we and the command die with it, and
 * whoever cleans up behind it finds the rest.
 *
 * Messages that are not understood end this process: the worker sees that, and a command that ran otherwise than it was
 * meant would be worse.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define VERSION "2"

enum { CHANNEL = 3 };

/* Longest message. A system takes some 6 MB of arguments; more is refused by it and not by us. */
enum { MAX_MESSAGE = 1 << 30 };

/* How long what is to be told may wait for company while there is more to do. Milliseconds, as all times here. */
static const double gather = 8;

/* What has gathered is told when it is so large. */
enum { GATHER_SIZE = 32 * 1024 };

/*
 * A command so young is not listened to: most end before, and each look at their pipes would wake this process up while
 * they do. What they write waits in the pipe.
 */
static const double quiet = 2;

/*
 * What a pipe can hold of a command that has ended (the limit for ordinary users). Whoever writes more is another process,
 * which must not keep us reading.
 */
enum { PIPE_CAPACITY = 1024 * 1024 };

/* Resident memory is counted per processor and summed up late: figures so close (KiB) are the same. */
enum { MEMORY_SLACK = 256 };

enum { LEFTOVERS = 1, HELD = 2, DIRTY = 4 };

enum { MAX_DIRECTORIES = 8 };

struct __attribute__((packed)) started {
  uint32_t id, pid;
  double at;  /* since 1970 */
  double age;
};

struct __attribute__((packed)) ended {
  uint32_t id, pid;
  uint32_t status; /* as wait(2) tells */
  uint32_t memory; /* most resident KiB, 0 if that is not known */
  double started_at; /* since 1970 */
  double duration;
  uint8_t unclean; /* LEFTOVERS, HELD, DIRTY */
};

struct __attribute__((packed)) refused {
  uint32_t id, error;
};

struct command {
  struct command *next;
  uint32_t id;
  double tell_after;
  const char *program, *directory, *input;
  char **arguments, **environment; /* point into `text` and the shared environment; one allocation, freed by the first */
  char text[];
};

struct buffer {
  char *data;
  size_t used, size;
};

static pid_t self, worker;
static int current_file, signals, timer;

/* When the worker is killed, by the boot clock; 0 for never. */
static double limit;
static struct buffer in, out;
static double flush_at; /* when `out` has to go; meaningful while it is not empty */

static struct {
  char *text;
  char **entries;
  size_t count;
} shared;

static struct {
  char *text;
  size_t count;
  struct { const char *path; mode_t mode; } entries[MAX_DIRECTORIES];
} watched;

static struct command *first, **last = &first;

/* The command that runs, or the one that ended uncleanly and has not been let go. */
static struct {
  uint32_t id;
  pid_t pid; /* 0: none */
  int is_told;
  double began, tell_after, started_at;
  int output[2]; /* our ends of the pipes behind its descriptors 1 and 2; -1 when they have come to their end */
} running = {.output = {-1, -1}};

static int is_halted;

/* Written by the child, which shares our memory until it becomes another program. */
static volatile int start_error;

static void die(const char *why) {
  static const char name[] = "muster-launcher: ";
  if (write(2, name, sizeof name - 1) < 0 || write(2, why, strlen(why)) < 0 || write(2, "\n", 1) < 0) _exit(71);
  if (running.pid > 0) kill(-running.pid, SIGKILL);
  _exit(70);
}

/* This process may have become larger since `own_memory` was looked up. */
static int has_grown = 1;

static void *allocate(size_t size) {
  void *memory = malloc(size);
  if (memory == NULL) die("out of memory");
  if (size > 16 * 1024) has_grown = 1;
  return memory;
}

static double millis(clockid_t clock) {
  struct timespec now;
  clock_gettime(clock, &now);
  return now.tv_sec * 1e3 + now.tv_nsec / 1e6;
}

/* Room for `length` more bytes, which count as used. */
static char *extend(struct buffer *buffer, size_t length) {
  if (buffer->used + length > buffer->size) {
    size_t size = buffer->size < 4096 ? 4096 : buffer->size;
    while (size < buffer->used + length) size *= 2;
    buffer->data = realloc(buffer->data, size);
    if (buffer->data == NULL) die("out of memory");
    buffer->size = size;
    has_grown = 1;
  }
  buffer->used += length;
  return buffer->data + buffer->used - length;
}

/* Nobody is left to tell anything. */
static void leave(void) {
  if (running.pid > 0) kill(-running.pid, SIGKILL);
  _exit(0);
}

/* --- What is told ------------------------------------------------------------------------------------------------ */

/*
 * Waits while the worker does not read: then the command waits too, as it would in front of any full pipe. The worker never
 * waits for us to read, so this ends.
 */
static void flush(void) {
  for (size_t done = 0; done < out.used;) {
    ssize_t length = write(CHANNEL, out.data + done, out.used - done);
    if (length < 0 && errno == EINTR) continue;
    if (length < 0) leave();
    done += length;
  }
  out.used = 0;
}

static void tell(char kind, const void *body, size_t length) {
  if (out.used == 0) flush_at = millis(CLOCK_MONOTONIC) + gather;
  uint32_t header = length + 1;
  char *to = extend(&out, sizeof header + header);
  memcpy(to, &header, sizeof header);
  to[sizeof header] = kind;
  memcpy(to + sizeof header + 1, body, length);
  if (out.used >= GATHER_SIZE) flush();
}

/* --- Commands that wait ------------------------------------------------------------------------------------------ */

static void release(struct command *command) {
  free(command->arguments);
  free(command);
}

/* Forgets what waits. Tells the ids if there is somebody to know them. */
static void forget(int is_asked_for) {
  struct buffer ids = {0};
  for (struct command *command = first, *next; command != NULL; command = next) {
    next = command->next;
    memcpy(extend(&ids, sizeof command->id), &command->id, sizeof command->id);
    release(command);
  }
  first = NULL;
  last = &first;
  if (is_asked_for) {
    tell('w', ids.data, ids.used);
    flush();
  }
  free(ids.data);
}

/* Whether two assignments are of the same variable. */
static int is_same_variable(const char *one, const char *other) {
  for (; *one == *other; one++, other++) if (*one == '=' || *one == 0) return 1;
  return 0;
}

static void receive_command(const char *body, size_t length) {
  struct command *command = allocate(sizeof *command + length);
  if (length < sizeof command->id || body[length - 1] != 0) die("a command is malformed");
  memcpy(&command->id, body, sizeof command->id);
  memcpy(command->text, body + sizeof command->id, length - sizeof command->id);
  char *end = command->text + length - sizeof command->id;
  command->next = NULL;
  command->tell_after = 0;
  command->program = command->directory = command->input = NULL;

  size_t arguments = 1, variables = 0;
  for (char *field = command->text; field < end; field += strlen(field) + 1) {
    arguments += *field == 'a';
    variables += *field == 'e';
  }
  command->arguments = allocate((arguments + 1 + variables + shared.count + 1) * sizeof(char *));
  command->environment = command->arguments + arguments + 1;
  command->arguments[0] = NULL;
  arguments = 1, variables = 0;
  for (char *field = command->text; field < end; field += strlen(field) + 1) {
    switch (*field) {
      case 'p': command->program = field + 1; break;
      case '0': command->arguments[0] = field + 1; break;
      case 'a': command->arguments[arguments++] = field + 1; break;
      case 'e': command->environment[variables++] = field + 1; break;
      case 'd': command->directory = field + 1; break;
      case '<': command->input = field + 1; break;
      case 't': command->tell_after = strtoul(field + 1, NULL, 10); break;
      default: die("a command has an unknown field");
    }
  }
  if (command->program == NULL || command->arguments[0] == NULL || command->directory == NULL) {
    die("a command is incomplete");
  }
  command->arguments[arguments] = NULL;
  size_t own = variables;
  for (size_t entry = 0; entry < shared.count; entry++) {
    size_t place = 0;
    while (place < own && !is_same_variable(command->environment[place], shared.entries[entry])) place++;
    if (place == own) command->environment[variables++] = shared.entries[entry];
  }
  command->environment[variables] = NULL;
  *last = command;
  last = &command->next;
}

static void receive_environment(const char *body, size_t length) {
  if (first != NULL) die("the environment changes under commands that wait");
  if (length > 0 && body[length - 1] != 0) die("the environment is malformed");
  free(shared.text);
  free(shared.entries);
  shared.text = allocate(length + 1);
  memcpy(shared.text, body, length);
  shared.count = 0;
  for (size_t place = 0; place < length; place++) shared.count += body[place] == 0;
  shared.entries = allocate((shared.count + 1) * sizeof(char *));
  char *entry = shared.text;
  for (size_t place = 0; place < shared.count; place++, entry += strlen(entry) + 1) shared.entries[place] = entry;
}

static void receive_directories(const char *body, size_t length) {
  if (length > 0 && body[length - 1] != 0) die("the directories are malformed");
  free(watched.text);
  watched.text = allocate(length + 1);
  memcpy(watched.text, body, length);
  watched.count = 0;
  for (char *path = watched.text; path < watched.text + length; path += strlen(path) + 1) {
    struct stat status;
    if (watched.count == MAX_DIRECTORIES) die("there are too many directories");
    if (lstat(path, &status) < 0) die("a directory is not there");
    watched.entries[watched.count].path = path;
    watched.entries[watched.count++].mode = status.st_mode;
  }
}

/* --- The time of the worker --------------------------------------------------------------------------------------- */

/* A worker that has not hung has this long to be faster. */
static const double patience = 100;

/*
 * Milliseconds since the machine's start, as the worker reads them: from the same file, since a container may have a start
 * of its own.
 */
static double boot_millis(void) {
  char text[64];
  int file = open("/proc/uptime", O_RDONLY | O_CLOEXEC);
  ssize_t length = file < 0 ? -1 : read(file, text, sizeof text - 1);
  if (file >= 0) close(file);
  if (length <= 0) die("the time since the machine's start cannot be read");
  text[length] = 0;
  double millis = 0, unit = 1000;
  char *digit = text;
  for (; *digit >= '0' && *digit <= '9'; digit++) millis = millis * 10 + (*digit - '0') * unit;
  if (*digit == '.') while (*++digit >= '0' && *digit <= '9') millis += (*digit - '0') * (unit /= 10);
  return millis;
}

static int is_over(void) {
  return limit > 0 && boot_millis() >= limit + patience;
}

static void kill_worker(void) {
  if (getppid() == worker) kill(worker, SIGKILL);
  leave();
}

/* The timer counts while the machine sleeps, and is looked at when it has fired only. */
static void set_timer(void) {
  struct itimerspec when = {0};
  if (limit > 0) {
    double left = limit + patience - boot_millis();
    if (left < 1) left = 1;
    when.it_value.tv_sec = (time_t)(left / 1000);
    when.it_value.tv_nsec = (long)((left - when.it_value.tv_sec * 1000.0) * 1000000);
  }
  if (timerfd_settime(timer, 0, &when, NULL) < 0) die("no timer can be set");
}

static void receive_limit(const char *body, size_t length) {
  if (length != sizeof limit) die("a time is malformed");
  memcpy(&limit, body, sizeof limit);
  set_timer();
}

static void ring(void) {
  uint64_t times;
  if (read(timer, &times, sizeof times) < 0 && errno != EAGAIN) die("the timer cannot be read");
  if (is_over()) kill_worker();
  set_timer();
}

/* --- The command that runs --------------------------------------------------------------------------------------- */

/* Names the running command in its file: ten characters and a newline, whatever was there before. */
static void name_current(pid_t pid) {
  char text[11];
  memset(text, ' ', sizeof text - 1);
  text[sizeof text - 1] = '\n';
  char digits[10];
  int count = 0;
  do digits[count++] = '0' + pid % 10; while ((pid /= 10) > 0);
  for (int place = 0; place < count; place++) text[place] = digits[count - 1 - place];
  /* A disk that is full is no reason not to run: then a cleaner has to find the command by its environment. */
  ssize_t ignored = pwrite(current_file, text, sizeof text, 0);
  (void)ignored;
}

static int ends[2]; /* the command's ends of the pipes */

/* Runs in the new process, on a stack of its own but in our memory, while we stand still. */
static int become(void *argument) {
  const struct command *command = argument;
  /* The kernel ends the command when we are gone, and if we already are it must not begin. */
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() != self) _exit(127);
  setsid();
  /* Before it is another program: from its first moment on there is somebody who can find it. */
  name_current(getpid());
  if (command->input != NULL) {
    int input = open(command->input, O_RDONLY | O_CLOEXEC);
    if (input < 0) goto refused;
    dup2(input, 0);
  }
  dup2(ends[0], 1);
  dup2(ends[1], 2);
  if (chdir(command->directory) < 0) goto refused;
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, NULL);
  execve(command->program, command->arguments, command->environment);
refused:
  start_error = errno;
  _exit(127);
}

static void open_pipe(int place) {
  int both[2];
  if (pipe2(both, O_CLOEXEC) < 0) die("no pipe can be made");
  fcntl(both[0], F_SETFL, O_NONBLOCK);
  running.output[place] = both[0];
  ends[place] = both[1];
}

static void close_output(int place) {
  if (running.output[place] >= 0) close(running.output[place]);
  running.output[place] = -1;
}

static void halt(void) {
  is_halted = 1;
  forget(0);
  flush();
}

static void start(void) {
  static char stack[64 * 1024] __attribute__((aligned(16)));
  struct command *command = first;
  first = command->next;
  if (first == NULL) last = &first;

  open_pipe(0);
  open_pipe(1);
  start_error = 0;
  running.id = command->id;
  running.is_told = 0;
  running.tell_after = command->tell_after;
  running.started_at = millis(CLOCK_REALTIME);
  running.began = millis(CLOCK_MONOTONIC);
  pid_t pid = clone(become, stack + sizeof stack, CLONE_VM | CLONE_VFORK | SIGCHLD, command);
  int error = pid < 0 ? errno : start_error;
  close(ends[0]);
  close(ends[1]);
  release(command);
  if (error == 0) {
    running.pid = pid;
    return;
  }
  if (pid > 0) waitpid(pid, NULL, 0);
  name_current(0);
  close_output(0);
  close_output(1);
  struct refused body = {running.id, error};
  tell('f', &body, sizeof body);
  halt();
}

/* Takes what is in a pipe, up to a limit. */
static void listen_to(int place, size_t limit) {
  static char bytes[64 * 1024];
  for (size_t total = 0; running.output[place] >= 0 && total < limit;) {
    ssize_t length = read(running.output[place], bytes, sizeof bytes);
    if (length < 0) return; /* nothing there now */
    if (length == 0) close_output(place);
    else tell(place == 0 ? 'o' : 'e', bytes, length);
    total += length;
  }
}

static int is_held(void) {
  listen_to(0, PIPE_CAPACITY);
  listen_to(1, PIPE_CAPACITY);
  return running.output[0] >= 0 || running.output[1] >= 0;
}

/* Whether a directory is empty and as it was. It may have become a link to somewhere else. */
static int is_pristine(const char *path, mode_t mode) {
  int directory = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  if (directory < 0) return 0;
  struct stat status;
  int is_same = fstat(directory, &status) == 0 && status.st_mode == mode;
  _Alignas(struct dirent) char entries[1024];
  int count = 0;
  if (is_same) {
    long length = syscall(SYS_getdents64, directory, entries, sizeof entries);
    if (length < 0) count = 3;
    for (long place = 0; place < length; place += ((struct dirent *)(entries + place))->d_reclen) count++;
  }
  close(directory);
  return is_same && count <= 2; /* itself and its parent */
}

/*
 * Most resident KiB that this process had. (Not by getrusage: that counts what the worker had when it made this process.)
 */
static long own_memory(void) {
  static long memory;
  if (!has_grown) return memory;
  char text[4096];
  int file = open("/proc/self/status", O_RDONLY | O_CLOEXEC);
  ssize_t length = file < 0 ? -1 : read(file, text, sizeof text - 1);
  if (file >= 0) close(file);
  text[length < 0 ? 0 : length] = 0;
  const char *line = strstr(text, "VmHWM:");
  memory = line == NULL ? LONG_MAX / 2 : strtol(line + strlen("VmHWM:"), NULL, 10);
  has_grown = 0;
  return memory;
}

static void end(int status, const struct rusage *usage) {
  struct ended body = {
    .id = running.id,
    .pid = running.pid,
    .status = status,
    /* Until it became another program it had our memory, which says nothing about it. */
    .memory = usage->ru_maxrss > own_memory() + MEMORY_SLACK ? usage->ru_maxrss : 0,
    .started_at = running.started_at,
    .duration = millis(CLOCK_MONOTONIC) - running.began,
  };
  if (kill(-running.pid, 0) == 0 || errno != ESRCH) body.unclean |= LEFTOVERS;
  if (is_held()) body.unclean |= HELD;
  for (size_t entry = 0; entry < watched.count; entry++) {
    if (!is_pristine(watched.entries[entry].path, watched.entries[entry].mode)) body.unclean |= DIRTY;
  }
  running.pid = 0;
  /* The next one writes its own name over this. */
  if (first == NULL || body.unclean) name_current(0);
  tell('x', &body, sizeof body);
  if (body.unclean) halt();
}

static void let_go(void) {
  if (!is_halted) die("there is nothing to let go of");
  uint8_t held = is_held();
  close_output(0);
  close_output(1);
  is_halted = 0;
  tell('l', &held, sizeof held);
  flush();
}

static void receive(char kind, const char *body, size_t length) {
  switch (kind) {
    case 'E': return receive_environment(body, length);
    case 'D': return receive_directories(body, length);
    case 'R': return is_halted ? (void)0 : receive_command(body, length);
    case 'W': return forget(1);
    case 'T': return receive_limit(body, length);
    case 'L': return let_go();
    default: die("a message is of no known kind");
  }
}

/* Takes what the worker sends. */
static void hear(void) {
  enum { CHUNK = 64 * 1024 };
  char *to = extend(&in, CHUNK);
  in.used -= CHUNK;
  ssize_t length = recv(CHANNEL, to, CHUNK, MSG_DONTWAIT);
  if (length < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (length <= 0) leave();
  in.used += length;
  size_t done = 0;
  for (uint32_t size; in.used - done >= sizeof size; done += sizeof size + size) {
    memcpy(&size, in.data + done, sizeof size);
    if (size == 0 || size > MAX_MESSAGE) die("a message has an impossible length");
    if (in.used - done < sizeof size + size) break;
    receive(in.data[done + sizeof size], in.data + done + sizeof size + 1, size - 1);
  }
  in.used -= done;
  memmove(in.data, in.data + done, in.used);
}

static void reap(void) {
  struct signalfd_siginfo info;
  if (read(signals, &info, sizeof info) < 0 && errno != EAGAIN) die("signals cannot be read");
  if (running.pid == 0) return;
  int status;
  struct rusage usage;
  if (wait4(running.pid, &status, WNOHANG, &usage) == running.pid) end(status, &usage);
}

/* Does what has become due. Answers with the time until there is more, -1 if nothing is to be expected. */
static int keep_time(void) {
  while (running.pid == 0 && first != NULL) {
    /* We may have been frozen too. */
    if (is_over()) kill_worker();
    start();
  }
  double now = millis(CLOCK_MONOTONIC), next = 1e300;
  double age = now - running.began;
  if (running.pid > 0 && !running.is_told) {
    if (age >= running.tell_after) {
      running.is_told = 1;
      struct started body = {running.id, running.pid, running.started_at, age};
      tell('s', &body, sizeof body);
    } else {
      next = running.began + running.tell_after;
      if (age < quiet && running.began + quiet < next) next = running.began + quiet;
    }
  }
  /* Nothing gathers behind a command of which nobody knows how long it runs, and nothing if none runs. */
  if (out.used > 0 && (running.pid == 0 || running.is_told || now >= flush_at)) flush();
  if (out.used > 0 && flush_at < next) next = flush_at;
  if (next == 1e300) return -1;
  return next <= now ? 0 : (int)(next - now) + 1;
}

static void prepare(char **argv) {
  self = getpid();
  if (strcmp(argv[1], VERSION) != 0) die("the worker is of another version");
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  worker = atoi(argv[2]);
  if (getppid() != worker) leave();
  fcntl(CHANNEL, F_SETFD, FD_CLOEXEC);
#ifdef SYS_close_range
  syscall(SYS_close_range, CHANNEL + 1, ~0U, 0); /* where the kernel knows it; Node leaves nothing open */
#endif
  /*
   * Signals for groups of processes are not for us: we end with the worker. They are blocked and not ignored, because then
   * one call gives commands all of them back.
   */
  sigset_t all, children;
  sigfillset(&all);
  sigprocmask(SIG_SETMASK, &all, NULL);
  sigaction(SIGCHLD, &(struct sigaction){.sa_handler = SIG_DFL, .sa_flags = SA_NOCLDSTOP}, NULL);
  sigemptyset(&children);
  sigaddset(&children, SIGCHLD);
  signals = signalfd(-1, &children, SFD_CLOEXEC | SFD_NONBLOCK);
  if (signals < 0) die("signals cannot be read");
  timer = timerfd_create(CLOCK_BOOTTIME, TFD_CLOEXEC | TFD_NONBLOCK);
  if (timer < 0) die("no timer can be made");
  current_file = open(argv[3], O_WRONLY | O_CLOEXEC);
  if (current_file < 0) die("the file for the running command cannot be opened");
}

int main(int argc, char **argv) {
  if (argc != 4) die("usage: launcher VERSION WORKER CURRENT");
  prepare(argv);
  tell('r', NULL, 0);
  for (;;) {
    int timeout = keep_time();
    int listens = running.pid > 0 && millis(CLOCK_MONOTONIC) - running.began >= quiet;
    struct pollfd events[] = {
      {.fd = CHANNEL, .events = POLLIN},
      {.fd = signals, .events = POLLIN},
      {.fd = listens ? running.output[0] : -1, .events = POLLIN},
      {.fd = listens ? running.output[1] : -1, .events = POLLIN},
      {.fd = timer, .events = POLLIN},
    };
    if (poll(events, 5, timeout) < 0 && errno != EINTR) die("poll does not work");
    if (events[4].revents) ring();
    for (int place = 0; place < 2; place++) if (events[2 + place].revents) listen_to(place, PIPE_CAPACITY);
    if (events[1].revents) reap();
    if (events[0].revents) hear();
  }
}
