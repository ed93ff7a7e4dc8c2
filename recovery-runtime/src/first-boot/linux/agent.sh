#!/bin/sh
# First boot of a restored station: runs the staged steps in order, reports each to the recovery service, and
# removes itself. Started by rekindle-first-boot.service with the busybox beside it, so that it needs nothing of
# the system but a kernel. Everything that it has to remember is a file: it may be killed anywhere.
#
#   steps/NN-hook/   hook title command after timeout retry-seconds tries secret-files, one word or line each
#                    tried: how often it was started; result.json: it is over
#   work/            files of the steps, and their current directory
#   key.inner key.outer   the one-time key as HMAC wants it (RFC 2104: key xor ipad, key xor opad)
#   over             everything is reported: what is left is to be removed

base=$1
cd "$base" || exit 1
umask 077

# A shutdown waits for it. A power cut does not: the unit goes nearly last, so that it comes back here at the next start.
remove_itself() {
  trap '' TERM
  for left in "$base"/*; do
    case $left in
    */key.*) ./busybox shred -u -n 1 -z "$left" ;;
    */agent.sh | */busybox | */over) ;;
    *) ./busybox rm -rf "$left" ;;
    esac
  done
  ./busybox sync
  ./busybox rm -f /etc/systemd/system/multi-user.target.wants/rekindle-first-boot.service \
    /etc/systemd/system/rekindle-first-boot.service
  # A program may remove its own file. A copy elsewhere might not start: Debian mounts /run with noexec.
  rest=$base
  [ "$(./busybox ls -A "${base%/*}")" = "${base##*/}" ] && rest=${base%/*}
  exec "$base/busybox" rm -rf "$rest"
}

[ -e over ] && remove_itself
mkdir -p bin work
[ -e bin/sh ] || ./busybox --install -s "$base/bin"
export PATH="$base/bin"
job=$(cat job)
log="$base/log"

say() { echo "$(now) $*" >>"$log"; }
now() { date -u +%Y-%m-%dT%H:%M:%SZ; }
uptime_seconds() { cut -d. -f1 /proc/uptime; }

# Standard input as the inside of a JSON string.
json_text() {
  tr -d '\000-\010\013\014\016-\037\177' | tr -d '\r' |
    sed -e 's/\\/\\\\/g' -e 's/"/\\"/g' -e 's/\t/\\t/g' |
    awk 'NR > 1 { printf "\\n" } { printf "%s", $0 }'
}

# HMAC-SHA-256 of a file with the one-time key. The key is on no command line.
mac_of() {
  inner=$(cat key.inner "$1" | sha256sum | cut -c1-64)
  { cat key.outer; echo "$inner" | xxd -r -p; } | sha256sum | cut -c1-64
}

# --- one step -------------------------------------------------------------------------------------------------

# result STEP OUTCOME SENTENCE: the step is over.
finish() {
  step=$1
  case $2 in skipped) word=reason ;; *) word=sentence ;; esac
  {
    printf '{"hook":"%s","result":{"outcome":"%s","%s":"' "$(cat "$step/hook")" "$2" "$word"
    printf '%s' "$3" | json_text
    printf '"},"evidence":[{"name":"output","value":"'
    [ -e "$step/output" ] && tail -c 6000 "$step/output" | json_text
    printf '"}],"startedAt":"%s","seconds":%s}' "$(cat "$step/started" 2>/dev/null || now)" "${4:-0}"
  } >"$step/result.new"
  echo "$2" >"$step/outcome"
  sync
  mv "$step/result.new" "$step/result.json"
  erase_secrets "$step"
  say "$(cat "$step/hook"): $2: $3"
}

# Files that only this step was allowed to use: overwritten, then removed.
erase_secrets() {
  while read -r secret; do
    [ -e "work/$secret" ] && shred -u -n 1 -z "work/$secret" 2>>"$log"
  done <"$1/secret-files"
  sync
}

last_line() { grep -v '^[[:space:]]*$' "$1" | tail -n 1 | cut -c1-500; }

# Is a hook that this step waits for not done?
blocked_by() {
  for wanted in $(cat "$1/after") $(cat "$1/hook"); do
    for other in steps/*; do
      [ "$other" = "$1" ] && continue
      [ "$(cat "$other/hook")" = "$wanted" ] || continue
      case $(cat "$other/outcome" 2>/dev/null) in failed | blocked) echo "$wanted" && return ;; esac
    done
  done
}

# Comes back with 0 when the step is over, 1 when the system has to restart.
run_step() {
  step=$1
  blocker=$(blocked_by "$step")
  if [ -n "$blocker" ]; then
    finish "$step" skipped "It waits for hook $blocker, which did not succeed."
    echo blocked >"$step/outcome"
    return 0
  fi
  while :; do
    tried=$(($(cat "$step/tried" 2>/dev/null || echo 0) + 1))
    if [ "$tried" -gt "$(cat "$step/tries")" ]; then
      finish "$step" failed "It was not done after $((tried - 1)) tries."
      return 0
    fi
    echo "$tried" >"$step/tried"
    [ -e "$step/started" ] || now >"$step/started"
    sync
    begun=$(uptime_seconds)
    limit=$(cat "$step/timeout")
    say "$(cat "$step/hook"): try $tried"
    (
      cd work || exit 1
      PATH="/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:$base/bin"
      exec "$base/busybox" timeout -k 10 "$limit" sh "../$step/command"
    ) >"$step/output" 2>&1 </dev/null
    code=$?
    took=$(($(uptime_seconds) - begun))
    line=$(last_line "$step/output")
    # An answer of the JSON contract that says so is a failure too.
    if [ "$code" -eq 0 ] && grep -q '^{.*"outcome" *: *"failed"' "$step/output"; then code=answered; fi
    case $code in
    0) finish "$step" done "${line:-It ended with exit code 0.}" $took ;;
    answered) finish "$step" failed "$line" $took ;;
    248)
      finish "$step" done "${line:-It ended, and asked for a restart.}" $took
      return 1
      ;;
    249)
      say "$(cat "$step/hook"): wants a restart, and another try"
      return 1
      ;;
    250)
      sleep "$(cat "$step/retry-seconds")"
      continue
      ;;
    251) finish "$step" skipped "${line:-There was nothing to do.}" $took ;;
    252) finish "$step" unverified "${line:-It ended, and cannot tell whether it is done.}" $took ;;
    *)
      [ "$took" -ge "$limit" ] && line="It was not ready after $limit s. $line"
      finish "$step" failed "${line:-It ended without a word.} (exit code $code)" $took
      ;;
    esac
    return 0
  done
}

# --- the report -----------------------------------------------------------------------------------------------

# send LAST: one try at each server. 0: the service has it, and it was the service.
send() {
  sequence=$(($(cat sequence 2>/dev/null || echo 0) + 1))
  echo "$sequence" >sequence.new && sync && mv sequence.new sequence && sync
  {
    printf '{"formatVersion":1,"jobId":"%s","sequence":%s,"last":%s,"agent":"linux","steps":[' "$job" "$sequence" "$1"
    comma=
    for step in steps/*; do
      [ -e "$step/result.json" ] || continue
      printf '%s' "$comma"
      cat "$step/result.json"
      comma=,
    done
    printf ']}'
  } >report.json
  printf 'received %s %s' "$sequence" "$1" >expected
  expected=$(mac_of expected)
  mac=$(mac_of report.json)
  for server in $(cat servers); do
    answer=$(timeout 30 wget -q -O - --header "Rekindle-Mac: $mac" --header 'Content-Type: application/json' \
      --post-file report.json "$server/first-boot/$job" 2>>"$log")
    [ "$answer" = "$expected" ] && return 0
    say "report $sequence: no proof from $server that it has it"
  done
  return 1
}

# --- from here on ---------------------------------------------------------------------------------------------

say "first boot of job $job"
for step in steps/*; do
  if [ -e "$step/result.json" ]; then
    # Whoever was interrupted right after the result is tidied up after.
    erase_secrets "$step"
    continue
  fi
  if ! run_step "$step"; then
    send false
    say 'restarts the system'
    sync
    PATH=/usr/sbin:/usr/bin:/sbin:/bin systemctl reboot || say 'cannot restart the system: systemctl failed'
    exit 0
  fi
  # The last step's result goes with the last report.
  [ "$step" = "$(echo steps/* | awk '{ print $NF }')" ] || send false
done

# Of the uptime, not of the clock: that one may be put right meanwhile.
give_up=$(($(uptime_seconds) + $(cat give-up-hours) * 3600))
pause=5
until send true; do
  if [ "$(uptime_seconds)" -ge "$give_up" ]; then
    say 'gives up: nobody took the report'
    break
  fi
  sleep $pause
  pause=$((pause < 60 ? pause * 2 : 60))
done
say 'is done here, and removes itself'
mkdir -p /var/log
cp "$log" /var/log/rekindle-first-boot.log
: >over
sync
remove_itself
