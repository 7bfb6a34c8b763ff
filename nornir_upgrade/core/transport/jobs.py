"""Jobs: commands on a host that outlive the connection which started them, found and followed again by name.

A job's record is a directory, root's alone: `commands` (what runs), `out` (both streams), `rc` (its exit status), `attempt`
(which call started it), `lock`. The process that runs the job holds flock(1) on `lock` for as long as it lives, and nobody else does.
So the kernel itself knows whether a job runs: no process id that could be recycled, nothing to clean up after a reboot, and
whoever follows sleeps on that lock until the job ends.
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
WAIT = 20.0  # seconds that one question waits on the host for the job's end
OUTPUT = 1 << 20  # bytes of output that are read back; the end says why a job failed
PATIENCE = 60.0  # seconds without an answer after which a host that is following a job counts as lost
LOST = 137  # as a shell tells of a process that SIGKILL ended: 128 + 9

Ask = Callable[[Sequence[str], bytes, float], Result]
"""Runs an argument vector as root with this standard input, for at most so many seconds. Raises `Unreachable`."""

# The lock comes with file descriptor 9, inherited from who started this. Commands do not get it: a daemon that one of them leaves
# behind would keep the job alive for ever. By which name they run they do know: a host's own records can tell run and step.
# The record is private, and what maintainer scripts make is not: they run with the umask that an administrator's apt has.
_RUNNER = """\
printf '%s\\n' "$2" >"$1/attempt"
cd /
export NORNIR_UPGRADE_JOB="${1##*/}"
(umask 022; exec sh "$1/commands") </dev/null >"$1/out" 2>&1 9>&-
echo $? >"$1/rc"
"""

# Start unless it runs, succeeded, or was started by this very attempt (whose answer got lost); then follow. The commands count
# only when they came whole: a connection that breaks ends standard input just as its end does.
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
class Answer:
    """What a host says of a job. `attempt` is whose running job was found; `result` is there when it ended."""

    state: Literal["running", "ended"]
    attempt: str = ""
    result: Result | None = None


def ask_argv(name: str, attempt: str, commands: bytes, wait: float, root: str = ROOT) -> tuple[str, ...]:
    """The question whose standard input is `commands`; the host answers after at most `wait` seconds."""
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
    """The question whether a job runs whose name begins with `prefix`; the host answers when none does, or after `wait` seconds."""
    return ("sh", "-c", _FOLLOW, "sh", root, _checked_prefix(prefix), f"{wait:.2f}")


def forget_argv(prefix: str, root: str = ROOT) -> tuple[str, ...]:
    """The command after which no record is left of ended jobs whose name begins with `prefix`."""
    return ("sh", "-c", _FORGET, "sh", root, _checked_prefix(prefix))


def commands_text(commands: Sequence[Sequence[str]]) -> bytes:
    """The shell text that runs `commands` until one fails. env(1), so that no first word is the shell's own."""
    text = " &&\n".join(quote(("env", *argv)) for argv in commands)
    return f"{text}\n".encode("utf-8", "surrogateescape")


def parse_answer(text: bytes) -> Answer:
    """Raises `InvalidInput` for anything that the question does not print."""
    first, _, output = text.partition(b"\n")
    if running := _RUNNING.fullmatch(first):
        return Answer("running", running["attempt"].decode())
    if not (ended := _ENDED.fullmatch(first)):
        raise InvalidInput(f"no answer about a job: {first[:80]!r}")
    if (left_out := int(ended["size"]) - len(output)) > 0:
        output = b"[%d bytes before this are left out]\n" % left_out + output
    if ended["status"] == b"lost":
        return Answer("ended", result=Result(LOST, output + b"[the job was killed, or its host restarted]\n", b""))
    return Answer("ended", result=Result(int(ended["status"]), output, b""))


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
    """`Host.job` by asking `host` again and again. `timeout` and `patience` in seconds.

    A job that vanishes while it is followed ends with status `LOST`; it is for the caller to know whether it may be run anew.
    Raises `TimedOut` (the job goes on), `ConnectionLost` when the host stays silent, `Unreachable` when nothing was begun.
    """
    text = commands_text(commands)

    def argv(attempt: str, wait: float) -> tuple[str, ...]:
        return ask_argv(name, attempt, text, wait, root)

    return _until_it_ended(ask, host, name, argv, text, timeout=timeout, patience=patience)


def follow(ask: Ask, host: str, prefix: str, *, timeout: float, patience: float = PATIENCE, root: str = ROOT) -> None:
    """`Host.follow`, as `run` does it: starts nothing. Raises as `run`."""

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
    """Put the question `argv(attempt, wait)` again and again, over as many connections as it takes."""
    attempt = secrets.token_hex(8)
    deadline, heard = time.monotonic() + timeout, time.monotonic()
    asked = False
    while True:
        wait = max(0.0, min(WAIT, deadline - time.monotonic()))
        try:
            answer = _ask_once(ask, host, argv(attempt, wait), name, stdin, wait)
        except ConnectionLost as lost:
            if time.monotonic() - heard > patience + wait:
                raise _given_up(name, lost) from lost
            asked = True
            waiting.say(host, f"the host, on which job {name} is under way, at most {patience:.0f} s")
            time.sleep(
                min(1.0, patience / 10)
            )  # `ask` waits for the host itself; this is for one that drops us at once
            continue
        except Unreachable as gone:
            raise (_given_up(name, gone) if asked else gone) from None
        if answer.result is not None:
            return answer.result
        asked, heard, attempt = True, time.monotonic(), answer.attempt or attempt
        if time.monotonic() >= deadline:
            raise TimedOut(
                f"{host}: job {name} took longer than {timeout:g} s", hint="it goes on there, and is found again"
            )


def _ask_once(ask: Ask, host: str, argv: Sequence[str], name: str, text: bytes, wait: float) -> Answer:
    result = ask(argv, text, wait + 60.0)
    refuse_full(host, result.status, result.errors)
    if result.status != 0:
        raise CommandFailed(host, f"job {name}", result.status, result.errors)
    return parse_answer(result.stdout)


def _given_up(name: str, lost: Unreachable) -> ConnectionLost:
    return ConnectionLost(
        f"{lost.message}; job {name} was under way", hint="it goes on there: resume once the host is back"
    )


def _checked(name: str) -> str:
    if not _NAME.fullmatch(name):
        raise InvalidInput(f"{name!r} is no name of a job")
    return name


def _checked_prefix(prefix: str) -> str:
    if not _PREFIX.fullmatch(prefix):
        raise InvalidInput(f"{prefix!r} begins no name of a job")
    return prefix
