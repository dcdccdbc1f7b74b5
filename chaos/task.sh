# A task of the chaos run: `task.sh KIND SECONDS`. It writes down its start and its end, and holds a lock on a file of its
# own task for as long as anything of it lives: whatever it forks has descriptor 9 too.
kind=$1 seconds=$2

note() {
  read -r now _ < /proc/uptime
  echo "$1 $MUSTER_TASK_ID $MUSTER_ATTEMPT $$ $CHAOS_MANAGER $now" >> "$CHAOS_NOTES/notes"
}

exec 9>> "$CHAOS_NOTES/locks/$MUSTER_TASK_ID"
flock -n 9 || note overlap
note start

case $kind in
  sleep) sleep "$seconds" ;;
  # More than a pipe holds, so that output is part of the load.
  print) head -c 100000 /dev/zero | tr '\0' x; sleep "$seconds" ;;
  # A working directory and results that somebody has to remove.
  litter) mkdir -p a/b && echo x > a/b/c && echo y > "$MUSTER_RESULT_DIR/result"; sleep "$seconds" ;;
  fail) sleep "$seconds"; note end; exit 3 ;;
  fail-once) sleep "$seconds"; if [ "$MUSTER_ATTEMPT" -lt 2 ]; then note end; exit 4; fi ;;
  die) sleep "$seconds"; note end; kill -KILL $$ ;;
  # Children that are left behind: one in the command's own group, which has to be gone with it, and one that does not
  # listen to TERM.
  fork) sleep 300 & (trap '' TERM; sleep 300) & sleep "$seconds" ;;
  # A child in a session of its own. It is not the attempt any more, so it does not hold the lock.
  daemon) CHAOS_DAEMON=1 setsid sleep 300 9>&- < /dev/null > /dev/null 2>&1 & sleep "$seconds" ;;
  # Takes its time when it is asked to go.
  stubborn) trap '' TERM; sleep "$seconds" & wait; wait ;;
esac
note end
