"""Progress: never in the way of the run, never more than words."""

from pathlib import Path

import pytest
from rich.console import Console

from nornir_upgrade.console.options import Flags
from nornir_upgrade.console.output import Screen
from nornir_upgrade.console.progress import Table, in_words, progress
from nornir_upgrade.console.table import columns
from nornir_upgrade.console.text import masked, one_line, printable
from nornir_upgrade.core import waiting
from nornir_upgrade.core.journal import Journal
from nornir_upgrade.core.run import Event, Run
from tests.core.toys import Note, plan_of


def run_on(*hosts: str) -> Run:
    """A run that has a step for each host."""
    return Run("r1", "", plan_of({host: [Note("/srv/x", "new")] for host in hosts}))


def event(what: str, host: str = "", **more: object) -> Event:
    """An event of that run's first wave."""
    place = {"wave": 0, "index": 0 if host else -1, "text": "/srv/x holds new"} | more
    return Event(1, "2026-01-01T00:00:00.000+00:00", "r1", what, host=host, **place)  # type: ignore[arg-type]


def shown(table: Table, height: int = 40) -> str:
    """The table on a terminal of that height, with its markup, if any, in effect."""
    console = Console(width=100, height=height, force_terminal=True, color_system=None, markup=True)
    with console.capture() as captured:
        console.print(table)
    return captured.get()


@pytest.fixture
def table_of(monkeypatch: pytest.MonkeyPatch):  # type: ignore[no-untyped-def]
    """Makes a table that paints nothing by itself."""
    monkeypatch.setattr("rich.live.Live.start", lambda self: None)
    return Table


def test_a_row_says_where_its_host_is(table_of: type[Table]) -> None:
    table = table_of(run_on("ctl1", "cmp1"))
    table.watch(event("step_started", "ctl1"))
    assert [line.split() for line in shown(table).splitlines()[1:]] == [
        ["ctl1", "1/1", "wave", "0", "running", "0:00", "/srv/x", "holds", "new"],
        ["cmp1", "waiting"],
    ]


def test_failures_are_told_in_the_row(table_of: type[Table]) -> None:
    table = table_of(run_on("ctl1"))
    table.watch(event("step_failed", "ctl1", error="state-differs: no"))
    assert "failed" in shown(table)
    assert "state-differs: no" in shown(table)


def test_words_from_hosts_are_no_markup_and_no_escape_codes(table_of: type[Table]) -> None:
    table = table_of(run_on("ctl1"))
    table.watch(event("step_started", "ctl1", text="[bold]x[/bold] \x1b[2J mysql://u:hunter2@db/"))
    line = shown(table)
    assert "[bold]x[/bold]" in line
    assert "\x1b[2J" not in line
    assert "hunter2" not in line


def test_more_hosts_than_lines(table_of: type[Table]) -> None:
    table = table_of(run_on(*(f"h{number}" for number in range(50))))
    table.watch(event("step_failed", "h49", error="no"))
    lines = shown(table, height=10).splitlines()
    assert len(lines) <= 10
    assert lines[1].startswith("h49")  # what failed is seen first
    assert lines[-1].startswith("... and ")


def test_hosts_and_events_that_nobody_knows_are_passed_over(table_of: type[Table]) -> None:
    table = table_of(run_on("ctl1"))
    for one in (event("run_ended"), event("step_started", "else"), event("gate_passed", "ctl1")):
        table.watch(one)
    assert "healthy" in shown(table)


def test_a_watcher_that_breaks_does_not_break_the_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    journal = Journal(tmp_path / "journal.db")
    run = journal.open_run(plan_of({"a": [Note("/srv/x", "new")]}))

    def broken(*_: object) -> None:
        raise BrokenPipeError

    monkeypatch.setattr(Screen, "warn", broken)
    with progress(journal, run, Screen(Flags(verbose=2))):
        journal.append(run.id, "run_ended", text="succeeded")
    assert journal.run(run.id).status == "succeeded"
    assert journal.watchers == []
    journal.close()


def test_lines_say_time_host_and_what() -> None:
    assert in_words(event("step_done", "ctl1"), 3).split("  ", 1)[1] == "ctl1: done: /srv/x holds new"
    assert in_words(event("wave_opened", text="canary"), 3).endswith("wave 1/3 begins: canary")
    assert in_words(event("host_failed", "ctl1", text="", error="drift: x\ny"), 3).endswith(
        "ctl1: host failed: drift: x y"
    )


def test_a_gate_that_failed_is_told_once() -> None:
    """The failure says where, and what was wanted."""
    error = "gate-failed: ctl1: http://127.0.0.1:8080/ answers 503, not 200"
    line = in_words(event("gate_failed", "ctl1", text="http://127.0.0.1:8080/ answers 200", error=error), 3)
    assert line.split("  ", 1)[1] == "ctl1: gate failed: http://127.0.0.1:8080/ answers 503, not 200"


@pytest.mark.parametrize(("verbose", "lines"), [(0, 1), (1, 2)])
def test_verbosity(tmp_path: Path, capsys: pytest.CaptureFixture[str], verbose: int, lines: int) -> None:
    journal = Journal(tmp_path / "journal.db")
    run = journal.open_run(plan_of({"a": [Note("/srv/x", "new")]}))
    with progress(journal, run, Screen(Flags(verbose=verbose))):
        journal.append(run.id, "step_started", wave=0, host="a", index=0, text="x")
        journal.append(run.id, "step_done", wave=0, host="a", index=0, text="x")
    assert len(capsys.readouterr().err.splitlines()) == lines
    journal.close()


@pytest.mark.parametrize(
    "text",
    [
        "mysql+pymysql://nova:s3cret!@10.0.0.1/nova",
        "rpc: amqp://guest:s3cret@mq:5672//",
        "admin_password = s3cret",
        "OS_PASSWORD=s3cret",
        "auth_token: 's3cret with blanks'",
        "GRANT ALL ON x TO y IDENTIFIED BY 's3cret'",
    ],
)
def test_passwords_are_masked(text: str) -> None:
    assert "s3cret" not in masked(text)
    assert "***" in masked(text)


@pytest.mark.parametrize("text", ["http://10.0.0.1:8000/x", "user@host:22", "set the password", "a = b"])
def test_what_is_no_password_stays(text: str) -> None:
    assert masked(text) == text


def test_printable() -> None:
    assert printable("a\x1b[1mb\x07\x9b\udcff é\n\t") == "a\\x1b[1mb\\x07\\x9b\\udcff é\n\t"
    assert one_line("a\n b\tc") == "a b c"
    assert one_line("x" * 20, 10) == "xxxxxxx..."


def test_columns() -> None:
    assert columns(("name", "n"), [("a\nb", 1), ("abc", 10)]).replace("\x1b[1m", "").replace("\x1b[0m", "") == (
        "name   n\na b    1\nabc   10"
    )


def test_a_host_that_waits_says_so_in_its_row_until_it_goes_on(
    table_of: type[Table], capsys: pytest.CaptureFixture[str]
) -> None:
    table = table_of(run_on("ctl1"))
    table.watch(event("step_started", "ctl1"))
    table.wait("ctl1", "apt-get (pid 123)")
    assert "waits for apt-get (pid 123)" in shown(table)
    table.watch(event("step_done", "ctl1"))
    assert "waits for" not in shown(table)


def test_what_waits_is_told_while_a_run_is_followed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    journal = Journal(tmp_path / "journal.db")
    with progress(journal, run_on("ctl1"), Screen(Flags())):
        waiting.say("ctl1", "apt-get (pid 123)")
        waiting.say("ctl1", "apt-get (pid 123)")
    waiting.say("ctl1", "nobody listens")
    journal.close()
    told = capsys.readouterr().err
    assert told.count("ctl1: waits for apt-get (pid 123)") == 1 and "nobody" not in told
