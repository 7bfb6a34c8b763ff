"""Jobs, run on this machine in a private directory: followed, lost, killed, run anew."""

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from nornir_upgrade.core.errors import ConnectionLost, DiskFull, InvalidInput, TimedOut, Unreachable
from nornir_upgrade.core.transport import jobs
from nornir_upgrade.core.transport.host import Result
from tests.core.local import LocalHost

APPEND = 'printf %s "$2" >>"$1"'
OPEN = 'touch "$1"; until [ -e "$2" ]; do sleep 0.02; done'
SESSION = 'cut -d" " -f6 /proc/self/stat >"$1"; mv "$1" "$2"; sleep 30'


@pytest.fixture
def here(tmp_path: Path) -> LocalHost:
    return LocalHost(tmp_path / "jobs")


@pytest.fixture
def log(tmp_path: Path) -> Path:
    """Where commands leave a trace each time they run."""
    path = tmp_path / "log"
    path.write_text("")
    return path


def append(log: Path, word: str = "x") -> tuple[str, ...]:
    return ("sh", "-c", APPEND, "sh", str(log), word)


def exits(status: int) -> tuple[str, ...]:
    return ("sh", "-c", 'exit "$1"', "sh", str(status))


def until(path: Path) -> str:
    """What the file holds, as soon as it is there."""
    limit = time.monotonic() + 10
    while not path.exists() and time.monotonic() < limit:
        time.sleep(0.01)
    return path.read_text()


@pytest.fixture
def running(here: LocalHost, log: Path, tmp_path: Path) -> Iterator[int]:
    """The process group of a job `j` that left its trace and runs for long."""
    commands = (append(log), ("sh", "-c", SESSION, "sh", str(tmp_path / "s.new"), str(tmp_path / "session")))
    with pytest.raises(TimedOut):
        here.job("j", commands, timeout=0.1)
    session = int(until(tmp_path / "session"))
    yield session
    kill(session)


def kill(session: int) -> None:
    try:
        os.killpg(session, signal.SIGKILL)
    except ProcessLookupError:
        return
    limit = time.monotonic() + 10
    while time.monotonic() < limit and subprocess.run(["pgrep", "-g", str(session)], stdout=subprocess.PIPE).stdout:
        time.sleep(0.01)


# ---------------------------------------------------------------------- promises


def test_a_job_is_one_round_trip(here: LocalHost) -> None:
    result = here.job("j", (("printf", "%s", "out"), ("sh", "-c", "echo err >&2")))
    assert (result.status, result.stdout, here.commands) == (0, b"outerr\n", 1)


def test_a_successful_job_is_not_run_again_and_a_failed_one_is(here: LocalHost, log: Path) -> None:
    for name, status, traces in (("good", 0, "x"), ("bad", 7, "xx")):
        log.write_text("")
        for _ in range(2):
            assert here.job(name, (append(log), exits(status))).status == status
        assert log.read_text() == traces


def test_two_that_start_at_once_start_it_once(here: LocalHost, log: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        results = list(pool.map(lambda _: here.job("j", (append(log), ("sleep", "0.3"))), range(8)))
    assert [one.status for one in results] == [0] * 8
    assert log.read_text() == "x"


def test_the_end_of_a_job_ends_the_question_that_waits_for_it(
    here: LocalHost, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jobs, "WAIT", 120.0)
    begun, gate = tmp_path / "begun", tmp_path / "gate"
    with ThreadPoolExecutor(1) as pool:
        future = pool.submit(here.job, "j", (("sh", "-c", OPEN, "sh", str(begun), str(gate)),))
        until(begun)
        gate.touch()
        assert future.result(60).status == 0
    assert here.commands == 1


def test_a_job_that_takes_longer_than_one_question_is_asked_again(
    here: LocalHost, log: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jobs, "WAIT", 0.1)
    assert here.job("j", (append(log), ("sleep", "0.5"), exits(3))).status == 3
    assert here.commands > 2 and log.read_text() == "x"


def test_a_job_found_running_that_fails_is_told_and_not_run_again(
    here: LocalHost, log: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    commands = (append(log), ("sleep", "0.5"), exits(3))
    with pytest.raises(TimedOut):
        here.job("j", commands, timeout=0.1)
    monkeypatch.setattr(jobs, "WAIT", 0.05)
    here.broken = lambda number: time.sleep(0.8)  # it fails while nobody asks
    assert here.job("j", commands).status == 3
    assert log.read_text() == "x"


def test_the_environment_reaches_the_commands_and_nothing_of_the_lock(here: LocalHost) -> None:
    result = here.job("j", (("sh", "-c", 'echo "$LC_ALL $DEBIAN_FRONTEND"; pwd; ls /proc/$$/fd'),))
    assert result.text.split() == ["C", "noninteractive", "/", "0", "1", "2"]


def test_records_are_nobody_elses(here: LocalHost, tmp_path: Path) -> None:
    here.job("j", (("true",),))
    assert (tmp_path / "jobs").stat().st_mode & 0o777 == 0o700
    for path in (tmp_path / "jobs" / "j", *(tmp_path / "jobs" / "j").iterdir()):
        assert path.stat().st_mode & 0o077 == 0, path


# ---------------------------------------------------------------------- what goes wrong


def test_a_killed_job_is_told_to_who_follows_it(here: LocalHost, running: int) -> None:
    with ThreadPoolExecutor(1) as pool:
        future = pool.submit(here.job, "j", (("true",),))
        time.sleep(0.3)
        assert not future.done()
        kill(running)
        result = future.result(5)
    assert result.status == jobs.LOST and b"killed" in result.stdout


def test_a_killed_job_is_run_anew(here: LocalHost, log: Path, running: int) -> None:
    kill(running)
    assert here.job("j", (append(log, "y"),)).status == 0
    assert log.read_text() == "xy"


def test_a_killed_job_does_not_end_as_it_did_the_time_before(here: LocalHost) -> None:
    end = ("sh", "-c", 'kill -KILL "-$(cut -d" " -f6 /proc/self/stat)"')
    assert here.job("j", (exits(3),)).status == 3
    result = here.job("j", (("echo", "new"), end))
    assert (result.status, result.text.splitlines()[0]) == (jobs.LOST, "new")


def test_a_job_of_before_a_reboot_is_run_anew_though_its_process_id_is_in_use(here: LocalHost, log: Path) -> None:
    """After a reboot a record is there without a status, and nobody holds its lock."""
    here.job("j", (("true",),))
    (Path(here.jobs_directory) / "j" / "rc").unlink()
    assert here.job("j", (append(log),)).status == 0
    assert log.read_text() == "x"


def test_a_daemon_that_a_command_leaves_behind_does_not_keep_the_job(here: LocalHost, tmp_path: Path) -> None:
    leave = 'sleep 60 & echo $! >"$1"'
    assert here.job("j", (("sh", "-c", leave, "sh", str(tmp_path / "pid")),)).status == 0
    os.kill(int((tmp_path / "pid").read_text()), signal.SIGKILL)  # raises where the daemon has ended


def test_a_lost_answer_is_asked_for_again_and_the_failed_job_not_run_twice(here: LocalHost, log: Path) -> None:
    def lose(number: int) -> None:
        if number <= 2:
            raise ConnectionLost("here: gone")

    here.broken = lose
    assert here.job("j", (append(log), exits(4))).status == 4
    assert (log.read_text(), here.commands) == ("x", 3)


def test_a_host_that_stays_away_is_given_up_after_a_while(here: LocalHost, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jobs, "WAIT", 0.0)

    def lose(number: int) -> None:
        raise ConnectionLost("here: gone")

    here.broken, here.patience = lose, 0.3
    with pytest.raises(ConnectionLost, match="job j was under way"):
        here.job("j", (("true",),))


def test_a_host_that_does_not_come_back_is_a_lost_connection(here: LocalHost) -> None:
    def lose(number: int) -> None:
        raise ConnectionLost("here: gone") if number == 1 else Unreachable("here: no answer")

    here.broken = lose
    with pytest.raises(ConnectionLost, match="job j was under way"):
        here.job("j", (("true",),))


def test_a_host_that_was_never_there_is_unreachable(here: LocalHost) -> None:
    def refuse(number: int) -> None:
        raise Unreachable("here: no answer")

    here.broken = refuse
    with pytest.raises(Unreachable) as caught:
        here.job("j", (("true",),))
    assert not isinstance(caught.value, ConnectionLost)


def test_commands_that_came_only_in_part_are_not_run(here: LocalHost, log: Path) -> None:
    text = jobs.commands_text((append(log), append(log)))
    argv = jobs.ask_argv("j", "ab", text, 5, here.jobs_directory)
    first = here.run(argv, stdin=text[: text.index(b"\n") + 1], check=False)
    assert first.status != 0 and b"only in part" in first.stderr and log.read_text() == ""
    assert here.job("j", (append(log, "y"),)).status == 0
    assert log.read_text() == "y"


def test_only_the_end_of_much_output_is_read_back(here: LocalHost) -> None:
    result = here.job("j", (("head", "-c", "3000000", "/dev/zero"), ("echo", "the end")))
    assert len(result.stdout) < jobs.OUTPUT + 100
    assert result.stdout.startswith(b"[1951432 bytes before this are left out]\n") and result.stdout.endswith(
        b"the end\n"
    )


# ---------------------------------------------------------------------- words


@pytest.mark.parametrize("word", ["a\nb", "it's", "$x", "", "-n", "\udcff", "x" * 120_000])
def test_arguments_arrive_as_given(here: LocalHost, word: str) -> None:
    assert here.job("j", (("printf", "%s\\n", word),)).text == f"{word}\n"


@pytest.mark.parametrize("first", ["if", "exit", "exec", "."])
def test_no_first_word_is_the_shells(here: LocalHost, log: Path, first: str) -> None:
    assert here.job("j", ((first, "0"), append(log))).status in (126, 127)
    assert log.read_text() == ""


def test_forgetting_takes_ended_jobs_of_the_prefix(here: LocalHost, running: int) -> None:
    for name in ("j.1", "j.2", "k"):
        here.job(name, (("true",),))
    here.forget("j")
    assert sorted(path.name for path in Path(here.jobs_directory).iterdir()) == ["j", "k"]
    kill(running)
    here.forget("")
    assert list(Path(here.jobs_directory).iterdir()) == []
    here.forget("nothing")


@pytest.mark.parametrize("name", ["", "..", ".hidden", "a/b", "a b", "A", "a\n"])
def test_names_that_are_none_are_refused(here: LocalHost, name: str) -> None:
    with pytest.raises(InvalidInput):
        here.job(name, (("true",),))
    if name not in ("", "..", ".hidden"):
        with pytest.raises(InvalidInput):
            here.forget(name)
    assert here.commands == 0


@pytest.mark.parametrize("text", [b"", b"ended", b"ended x 1\n", b"running g\n", b"sudo: hello\nended 0 0\n"])
def test_answers_that_are_none_are_refused(text: bytes) -> None:
    with pytest.raises(InvalidInput):
        jobs.parse_answer(text)


def test_a_disk_without_room_for_a_job_is_called_full() -> None:
    said = b"sh: 8: cannot create /var/lib/nornir-upgrade/jobs/j/attempt: No space left on device\n"
    with pytest.raises(DiskFull, match=r"web1: sh: 8: cannot create .*: No space left on device"):
        jobs.run(lambda *_: Result(1, b"", said), "web1", "j", (("true",),), timeout=1)


def test_commands_make_files_for_all_and_the_record_stays_private(here: LocalHost, tmp_path: Path) -> None:
    """Maintainer scripts make files and directories that others must read, as they do where an administrator calls apt."""
    made = tmp_path / "made"
    assert here.job("j", (("mkdir", str(made)), ("touch", str(made / "file")))).status == 0
    modes = {path.name: path.stat().st_mode & 0o777 for path in (made, made / "file")}
    assert modes == {"made": 0o755, "file": 0o644}
    record = tmp_path / "jobs" / "j"
    assert [path for path in (record, *record.iterdir()) if path.stat().st_mode & 0o077] == []
