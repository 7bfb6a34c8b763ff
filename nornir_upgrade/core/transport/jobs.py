"""Job: commands on a host that outlive the connection which started them. A job is found and followed again by its name.

The record of a job is a directory that only root can read. It holds `commands` (what runs), `out` (both streams), `rc` (the exit
status), `attempt` (the call that started the job) and `lock`. The process of the job holds flock(1) on `lock` while it lives.
So the kernel knows whether a job runs: no process id can be recycled, nothing needs cleaning after a reboot, and a follower
sleeps on the lock until the job ends.
"""

import re
import secrets
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from nornir_upgrade.core import waiting
from nornir_upgrade.core.errors import CommandFailed, ConnectionLost, InvalidInput, TimedOut, Unreachable

from .disk import refuse_full
from .host import Result, quote

ROOT = "/var/lib/nornir-upgrade/jobs"
WAIT = 20.0  # seconds that one request waits on the host for the job's end
OUTPUT = 1 << 20  # bytes of output that are read back: the last ones, which hold the cause of a failure
PATIENCE = 60.0  # seconds without an answer after which a host with a job counts as lost
LOST = 137  # the status a shell reports for a process that SIGKILL ended: 128 + 9

Ask = Callable[[Sequence[str], bytes, float], Result]
"""Runs an argument vector as root with this standard input, for at most so many seconds. Raises `Unreachable`."""

# File descriptor 9, inherited from the starter, holds the lock. The commands do not inherit it: a daemon that one of them leaves
# behind would keep the job alive for ever. The commands know the name of the job, so that the host's own records can name run and step.
# The record is private. Files that maintainer scripts make are not: the commands run with the usual umask of an administrator.
_RUNNER = """\
printf '%s\\n' "$2" >"$1/attempt"
cd /
export NORNIR_UPGRADE_JOB="${1##*/}"
(umask 022; exec sh "$1/commands") </dev/null >"$1/out" 2>&1 9>&-
echo $? >"$1/rc"
"""

# Start the job unless it runs, has succeeded, or was started by this same attempt (whose answer got lost). Then follow it. The size of
# the commands is checked: a broken connection ends standard input just as the end of the commands does.
_ASK = """\
umask 077
dir=$1/$2 attempt=$3 size=$4 wait=$5 limit=$6 runner=$7
mkdir -p -- "$dir" || exit
exec 9>>"$dir/lock" || exit
if flock -n 9; then
  if [ "$(cat "$dir/rc" 2>/dev/null)" != 0 ] && [ "$(cat "$dir/attempt" 2>/dev/null)" != "$attempt" ]; then
    rm -f "$dir/rc" "$dir/out" || exit
    cat >"$dir/commands" || exit
    [ "$(stat -c %s "$dir/commands")" = "$size" ] || { echo 'the commands came only in part' >&2; exit 1; }
    setsid -f sh -c "$runner" sh "$dir" "$attempt" </dev/null >/dev/null 2>&1 || exit
  fi
fi
exec 9>&-
flock -s -w "$wait" -E 75 "$dir/lock" true
case $? in
0)
  rc=$(cat "$dir/rc" 2>/dev/null)
  printf 'ended %s %s\\n' "${rc:-lost}" "$(stat -c %s "$dir/out" 2>/dev/null || echo 0)"
  tail -c "$limit" "$dir/out" 2>/dev/null
  exit 0 ;;
75) printf 'running %s\\n' "$(cat "$dir/attempt" 2>/dev/null)" ;;
*) exit 1 ;;
esac
"""

_FOLLOW = """\
for lock in "$1/$2"*/lock; do
  [ -e "$lock" ] || continue
  flock -s -w "$3" -E 75 "$lock" true
  case $? in
  0) ;;
  75) echo 'running '; exit 0 ;;
  *) exit 1 ;;
  esac
done
echo 'ended 0 0'
"""

_FORGET = """\
for dir in "$1/$2"*/; do
  [ -e "$dir/lock" ] || continue
  flock -n "$dir/lock" rm -rf -- "$dir" || [ -e "$dir/lock" ] || exit
done
"""

_NAME = re.compile(r"[a-z0-9-][a-z0-9.-]*")
_PREFIX = re.compile(r"[a-z0-9.-]*")
_ENDED = re.compile(rb"ended (?P<status>[0-9]+|lost) (?P<size>[0-9]+)")
_RUNNING = re.compile(rb"running (?P<attempt>[0-9a-f]*)")


@dataclass(frozen=True, slots=True)
class JobState:
    """The state of a job on a host. `attempt`: the call that started a running job. `result`: set once the job has ended."""

    state: Literal["running", "ended"]
    attempt: str = ""
    result: Result | None = None


def ask_argv(name: str, attempt: str, commands: bytes, wait: float, root: str = ROOT) -> tuple[str, ...]:
    """The command that starts or follows a job; its standard input is `commands`. It answers after at most `wait` seconds."""
    return (
        "sh",
        "-c",
        _ASK,
        "sh",
        root,
        _checked(name),
        attempt,
        str(len(commands)),
        f"{wait:.2f}",
        str(OUTPUT),
        _RUNNER,
    )


def follow_argv(prefix: str, wait: float, root: str = ROOT) -> tuple[str, ...]:
    """The command that waits until no job runs whose name begins with `prefix`. It answers after at most `wait` seconds."""
    return ("sh", "-c", _FOLLOW, "sh", root, _checked_prefix(prefix), f"{wait:.2f}")


def forget_argv(prefix: str, root: str = ROOT) -> tuple[str, ...]:
    """The command that removes the records of ended jobs whose name begins with `prefix`."""
    return ("sh", "-c", _FORGET, "sh", root, _checked_prefix(prefix))


def commands_text(commands: Sequence[Sequence[str]]) -> bytes:
    """Shell text that runs `commands` up to the first that fails. env(1) precedes each: no word is taken for a shell builtin."""
    text = " &&\n".join(quote(("env", *argv)) for argv in commands)
    return f"{text}\n".encode("utf-8", "surrogateescape")


def parse_answer(text: bytes) -> JobState:
    """The state of a job, from the output of `ask_argv` or `follow_argv`. Raises `InvalidInput` for any other output."""
    first, _, output = text.partition(b"\n")
    if running := _RUNNING.fullmatch(first):
        return JobState("running", running["attempt"].decode())
    if not (ended := _ENDED.fullmatch(first)):
        raise InvalidInput(f"not an answer about a job: {first[:80]!r}")
    if (left_out := int(ended["size"]) - len(output)) > 0:
        output = b"[%d bytes before this are left out]\n" % left_out + output
    if ended["status"] == b"lost":
        return JobState("ended", result=Result(LOST, output + b"[the job was killed, or its host restarted]\n", b""))
    return JobState("ended", result=Result(int(ended["status"]), output, b""))


def run(
    ask: Ask,
    host: str,
    name: str,
    commands: Sequence[Sequence[str]],
    *,
    timeout: float,
    patience: float = PATIENCE,
    root: str = ROOT,
) -> Result:
    """`Host.job`: asks `host` repeatedly until the job has ended. `timeout` and `patience` in seconds.

    A job that vanishes while it is followed ends with status `LOST`; the caller decides whether it may be run anew.
    Raises `TimedOut` (the job continues), `ConnectionLost` if the host stays silent, `Unreachable` if nothing was started.
    """
    text = commands_text(commands)

    def argv(attempt: str, wait: float) -> tuple[str, ...]:
        return ask_argv(name, attempt, text, wait, root)

    return _until_it_ended(ask, host, name, argv, text, timeout=timeout, patience=patience)


def follow(ask: Ask, host: str, prefix: str, *, timeout: float, patience: float = PATIENCE, root: str = ROOT) -> None:
    """`Host.follow`: as `run`, but starts nothing. Raises as `run`."""

    def argv(attempt: str, wait: float) -> tuple[str, ...]:  # noqa: ARG001
        return follow_argv(prefix, wait, root)

    _until_it_ended(ask, host, prefix, argv, b"", timeout=timeout, patience=patience)


def _until_it_ended(
    ask: Ask,
    host: str,
    name: str,
    argv: Callable[[str, float], Sequence[str]],
    stdin: bytes,
    *,
    timeout: float,
    patience: float,
) -> Result:
    """Runs `argv(attempt, wait)` repeatedly, over as many connections as needed, until the job has ended."""
    attempt = secrets.token_hex(8)
    deadline, answered_at = time.monotonic() + timeout, time.monotonic()
    asked = False
    while True:
        wait = max(0.0, min(WAIT, deadline - time.monotonic()))
        try:
            answer = _ask_once(ask, host, argv(attempt, wait), name, stdin, wait)
        except ConnectionLost as lost:
            if time.monotonic() - answered_at > patience + wait:
                raise _given_up(name, lost) from lost
            asked = True
            waiting.say(host, f"the host, on which job {name} is running, at most {patience:.0f} s")
            time.sleep(
                min(1.0, patience / 10)
            )  # `ask` itself waits for the host; this is for a host that drops us at once
            continue
        except Unreachable as gone:
            raise (_given_up(name, gone) if asked else gone) from None
        if answer.result is not None:
            return answer.result
        asked, answered_at, attempt = True, time.monotonic(), answer.attempt or attempt
        if time.monotonic() >= deadline:
            raise TimedOut(
                f"{host}: job {name} took longer than {timeout:g} s",
                hint="the job continues there, and a resume follows it",
            )


def _ask_once(ask: Ask, host: str, argv: Sequence[str], name: str, text: bytes, wait: float) -> JobState:
    result = ask(argv, text, wait + 60.0)
    refuse_full(host, result.status, result.errors)
    if result.status != 0:
        raise CommandFailed(host, f"job {name}", result.status, result.errors)
    return parse_answer(result.stdout)


def _given_up(name: str, lost: Unreachable) -> ConnectionLost:
    return ConnectionLost(
        f"{lost.message}; job {name} was under way", hint="the job continues there: resume once the host is back"
    )


def _checked(name: str) -> str:
    if not _NAME.fullmatch(name):
        raise InvalidInput(f"{name!r} is not the name of a job")
    return name


def _checked_prefix(prefix: str) -> str:
    if not _PREFIX.fullmatch(prefix):
        raise InvalidInput(f"{prefix!r} cannot begin the name of a job")
    return prefix
