"""The door itself: help, wrong usage, wrong configuration, exit codes."""

import importlib.metadata
import os
import pty
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from nornir_upgrade.cli.main import app
from nornir_upgrade.config import settings
from nornir_upgrade.console import exit_codes
from nornir_upgrade.core import errors
from nornir_upgrade.core.batches import Size
from nornir_upgrade.core.errors import Failure, InvalidInput
from tests.cli.site import ROOT, Pause, Site
from tests.core.toys import Note, plan_of


def verbs(group: click.Group = app, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Every verb there is, as one types it."""
    for name, command in group.commands.items():
        yield (*path, name)
        if isinstance(command, click.Group):
            yield from verbs(command, (*path, name))


@pytest.mark.parametrize("verb", list(verbs()), ids=" ".join)
def test_every_verb_has_help_with_examples(verb: tuple[str, ...]) -> None:
    result = CliRunner().invoke(app, [*verb, "--help"])
    assert result.exit_code == 0
    assert len(result.output.splitlines()) > 8
    if verb != ("lab",):
        assert f"  nornir-upgrade {' '.join(verb)}" in result.output.split("Examples:")[1]
        assert "--config" in result.output


def test_the_verbs_are_those_promised() -> None:
    promised = {"scenarios", "check", "plan", "run", "resume", "unwind", "status", "history", "report", "lab"}
    assert set(app.commands) == promised


def test_help_lists_every_exit_code() -> None:
    output = CliRunner().invoke(app, ["--help"]).output
    codes = {str(one.exit_code) for one in vars(errors).values() if isinstance(one, type) and issubclass(one, Failure)}
    assert codes <= {line.split()[0] for line in output.split("Exit codes:")[1].splitlines() if line.strip()}


@pytest.mark.parametrize("package", ["nornir_upgrade", "rollback"])
def test_a_program_tells_its_version(package: str) -> None:
    argv = [sys.executable, "-c", f"from {package}.cli import main; main()", "--version"]
    ended = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert ended.stdout.endswith(f", version {importlib.metadata.version('nornir-upgrade')}\n"), ended.stderr


def test_help_imports_nothing_heavy() -> None:
    code = "import sys; from nornir_upgrade import cli; print([m for m in sys.modules if m in HEAVY])"
    heavy = ("nornir", "netmiko", "paramiko", "sqlalchemy", "msgspec", "rich", "jinja2", "ruamel.yaml")
    found = subprocess.run(
        [sys.executable, "-c", f"HEAVY={heavy!r}; {code}"], capture_output=True, text=True, check=True
    )
    assert found.stdout.strip() == "[]"


@pytest.mark.parametrize(
    "argv",
    [
        ["nonsense"],
        ["status", "--nonsense"],
        ["status", "a", "b"],
        ["run"],
        ["run", "plan.json", "--max-fail", "0"],
        ["run", "plan.json", "--max-fail", "101%"],
        ["run", "plan.json", "--max-fail", "-1"],
        ["run", "plan.json", "--workers", "0"],
        ["run", "plan.json", "--on-failure", "shrug"],
        ["history", "-q", "-v"],
        ["history", "-o", "xml"],
    ],
    ids=" ".join,
)
def test_wrong_usage(site: Site, argv: list[str]) -> None:
    result = site.call(*argv)
    assert result.exit_code == 2
    assert result.stderr.startswith("Usage: nornir-upgrade")


@pytest.mark.parametrize("argv", [["run", "plan.json"], ["resume"], ["unwind"]], ids=" ".join)
def test_nobody_to_ask(site: Site, argv: list[str]) -> None:
    site.write(plan_of({"a": [Note("/srv/x", "new")]}))
    result = site.call(*argv)
    assert result.exit_code == 2
    assert "--yes" in result.stderr
    assert not (site.directory / ".state").exists()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("user_defined: {stat: x}", "config.yaml, line 1: user_defined.stat: there is no key 'stat' here"),
        (
            "runner: {}\nuser_defined:\n  workers: many\n",
            "config.yaml, line 3: user_defined.workers: must be a whole number",
        ),
        ("user_defined:\n  workers: true\n", "config.yaml, line 2: user_defined.workers: "),
        ("user_defined:\n  workers: -1\n", "config.yaml, line 2: user_defined.workers: "),
        ("user_defined:\n  reconnect: 9999\n", "config.yaml, line 2: user_defined.reconnect: "),
        ("user_defined:\n  state: 3\n", "config.yaml, line 2: user_defined.state: must be the name of a directory"),
        (
            "user_defined:\n  keep: moon\n",
            "config.yaml, line 2: user_defined.keep: must be one of controller, host, both, none",
        ),
        (
            "user_defined:\n  keep: 3\n",
            "config.yaml, line 2: user_defined.keep: must be one of controller, host, both, none, not 3\n",
        ),
        ("user_defined:\n  state: ''\n", "config.yaml, line 2: user_defined.state: "),
        ("user_defined: [state]\n", "config.yaml, line 1: user_defined: must hold keys and values"),
        ("user_defined:\n  state: a\n  state: b\n", "config.yaml, line 3: not YAML: found duplicate key"),
        ("a: [b\n", "config.yaml, line 2: not YAML"),
        ("a: !!python/object:os.system x\n", "config.yaml"),
        ("- a\n", "config.yaml, line 1: the document: must hold keys and values, not a list\n"),
        ("a: \x01\n", "config.yaml: not YAML"),
    ],
)
def test_wrong_configuration_names_file_line_and_key(site: Site, text: str, said: str) -> None:
    site.config.write_text(text)
    result = site.call("history")
    if "python/object" in text:  # an unknown tag is data that nobody reads
        assert result.exit_code == 0
        return
    assert result.exit_code == 10, result.output
    assert said in result.stderr
    assert "Traceback" not in result.stderr
    assert len(result.stderr.splitlines()) <= 3


def test_configuration_that_is_no_text(site: Site) -> None:
    site.config.write_bytes(b"\xff\xfe\x00")
    result = site.call("history")
    assert (result.exit_code, "no UTF-8" in result.stderr) == (10, True)


def test_no_configuration(site: Site) -> None:
    result = site.call("history", "-c", "missing.yaml")
    assert result.exit_code == 10
    assert "missing.yaml: no such file" in result.stderr
    assert "-c FILE" in result.stderr


def test_the_lab_needs_no_configuration(site: Site) -> None:
    site.config.unlink()
    result = site.call("lab", "status")
    assert (result.exit_code, "There is no lab" in result.stdout) == (0, True), result.stderr


def test_an_empty_configuration_has_defaults(site: Site) -> None:
    site.config.write_text("")
    found = settings.read(Path("config.yaml"))
    assert (found.state, found.journal.name, found.workers) == (site.directory / ".state", "journal.db", 0)


def test_a_state_directory_that_cannot_be(site: Site) -> None:
    site.config.write_text("user_defined:\n  state: config.yaml/below\n")
    result = site.call("history")
    assert result.exit_code == 10
    assert "config.yaml/below" in result.stderr


def test_general_flags_may_stand_before_the_verb(site: Site) -> None:
    assert site.call("-o", "json", "history").stdout.strip().startswith("{")
    assert site.call("-c", "missing.yaml", "lab", "status").exit_code == 10
    assert site.call("-o", "json", "history", "-o", "text").stdout == "No run yet.\n"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("not json", "plan.json: not JSON"),
        ("{}", "plan.json: Object missing required field"),
        ('{"direction": "forward", "origin": "x", "waves": [], "surprise": 1}', "unknown field .surprise"),
    ],
)
def test_wrong_plan(site: Site, text: str, said: str) -> None:
    (site.directory / "plan.json").write_text(text)
    result = site.call("run", "plan.json", "--yes")
    assert result.exit_code == 10
    assert said in result.stderr


def test_a_plan_of_another_version_is_refused(site: Site) -> None:
    (site.directory / "plan.json").write_text('{"direction": "forward", "origin": "x", "waves": [], "format": "2.0"}')
    result = site.call("run", "plan.json", "--yes")
    assert result.exit_code == 10
    assert "format 2.0" in result.stderr


def test_a_missing_plan(site: Site) -> None:
    assert site.call("run", "gone.json", "--yes").exit_code == 10


def test_a_saved_plan_is_refused_where_a_host_changed(site: Site) -> None:
    from dataclasses import replace

    plan = plan_of({"a": [Note("/srv/x", "new")], "b": [Note("/srv/x", "new")]})
    (wave,) = plan.waves
    work = tuple(replace(one, assumes=site.digest(one.host) if one.host == "a" else "other") for one in wave.work)
    site.write(replace(plan, waves=(replace(wave, work=work),)))
    result = site.call("run", "plan.json", "--yes")
    assert result.exit_code == 13
    assert "on: b" in result.stderr
    assert site.notes("a") == {}
    assert site.json("history")["runs"] == []


def test_an_unreachable_host_before_the_first_touch(site: Site) -> None:
    site.gone("b")
    site.gone("c")
    plan = plan_of({host: [Note("/srv/x", "new")] for host in "abc"})
    result = site.call("run", site.write(plan), "--yes")
    assert result.exit_code == 30
    assert "not reached: b, c" in result.stderr
    assert site.notes("a") == {}
    assert site.json("history")["runs"] == []


def test_nothing_to_do(site: Site) -> None:
    result = site.call("run", site.write(plan_of()), "--yes")
    assert (result.exit_code, result.stdout) == (0, "Nothing to do.\n")


def test_the_facts_before_a_run_are_kept_of_the_hosts_that_it_concerns(site: Site) -> None:
    from nornir_upgrade.core import codec
    from nornir_upgrade.core.facts.gather import HostFacts

    site.call("run", site.write(plan_of({"a": [Note("/srv/x", "new")], "b": [Note("/srv/x", "new")]})), "--yes")
    journal = site.journal()
    ((_, run, _, document),) = journal.snapshot_rows()
    assert run == journal.run("last").id
    facts = codec.loads(document, tuple[HostFacts, ...])
    assert [one.host for one in facts] == ["a", "b"]
    journal.close()


# ---------------------------------------------------------------------- the switch


def door_that(error: BaseException) -> exit_codes.App:
    """A door whose one verb raises."""
    group = exit_codes.App(name="toy")

    @group.command()
    def verb() -> None:
        raise error

    return group


def everything() -> list[type[Failure]]:
    """Every failure that can be made of a message alone."""
    special = (errors.UnknownName, errors.CommandFailed)
    kinds = [one for one in vars(errors).values() if isinstance(one, type) and issubclass(one, Failure)]
    return [one for one in kinds if one not in special]


@pytest.mark.parametrize("kind", everything(), ids=lambda kind: kind.reference)
def test_each_failure_ends_with_its_code_and_no_traceback(kind: type[Failure]) -> None:
    result = CliRunner().invoke(door_that(kind("what is wrong", hint="what to do")), ["verb"], prog_name="toy")
    assert result.exit_code == kind.exit_code
    assert result.stderr == "toy: error: what is wrong\n  what to do\n"


def test_a_bug_shows_its_traceback() -> None:
    result = CliRunner().invoke(door_that(ZeroDivisionError("oops")), ["verb"])
    assert result.exit_code == 1
    assert "ZeroDivisionError: oops" in result.stderr


def test_an_interrupted_verb() -> None:
    result = CliRunner().invoke(door_that(KeyboardInterrupt()), ["verb"])
    assert (result.exit_code, "Traceback" in result.output) == (130, False)


def test_messages_from_hosts_move_no_cursor_and_tell_no_password() -> None:
    failure = InvalidInput("\x1b[2Jgone mysql://nova:hunter2@db/nova", hint="password = hunter3")
    result = CliRunner().invoke(door_that(failure), ["verb"])
    assert "\x1b" not in result.stderr
    assert "hunter" not in result.stderr


@pytest.mark.parametrize(
    ("share", "total", "number"), [(Size(3), 10, 3), (Size(10, True), 5, 1), (Size(50, True), 4, 2)]
)
def test_share_of_hosts(share: Size, total: int, number: int) -> None:
    assert share.of(total) == number


# ---------------------------------------------------------------------- a terminal


def on_a_terminal(
    site: Site,
    *argv: str,
    answer: str = "",
    kill: signal.Signals | None = None,
    environment: dict[str, str] | None = None,
) -> tuple[int, str]:
    """Exit code and everything shown, where stdin, stdout and stderr are a terminal. `kill` is sent at the question."""
    session, terminal = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.cli.driver", *argv],
        cwd=site.directory,
        env=os.environ
        | {"PYTHONPATH": str(ROOT), "TERM": "xterm", "COLUMNS": "120", "LINES": "40"}
        | (environment or {}),
        stdin=terminal,
        stdout=terminal,
        stderr=terminal,
        start_new_session=True,
    )
    os.close(terminal)
    os.write(session, answer.encode())
    shown = b""
    until = time.monotonic() + 30
    while time.monotonic() < until:
        try:
            piece = os.read(session, 65536)
        except OSError:  # EIO: the last one has closed it
            break
        if not piece:
            break
        shown += piece
        if kill and b"[y/N]" in shown:
            process.send_signal(kill)
            kill = None
    os.close(session)
    return process.wait(timeout=20), shown.decode()


def test_a_person_is_asked_and_sees_a_live_table(site: Site) -> None:
    plan = plan_of({"a": [Note("/srv/[red]x", "new"), Pause("begun", 0.6)], "b": [Note("/srv/x", "new")]})
    code, shown = on_a_terminal(site, "run", site.write(plan), answer="y\n")
    assert code == 0, shown
    assert "Go ahead? [y/N]" in shown
    assert "\x1b[" in shown
    assert "1/1 wave 0" in shown
    assert "seconds have passed" in shown
    assert site.notes("a") == {"/srv/[red]x": "new"}


def test_no_is_the_default_answer(site: Site) -> None:
    code, shown = on_a_terminal(site, "run", site.write(plan_of({"a": [Note("/srv/x", "new")]})), answer="\n")
    assert (code, "nothing was changed" in shown) == (130, True)
    assert site.notes("a") == {}


@pytest.mark.parametrize(
    ("argv", "environment"), [(["--no-color"], {}), ([], {"NO_COLOR": "1"}), ([], {"TERM": "dumb"})]
)
def test_no_colour_where_none_is_wanted(site: Site, argv: list[str], environment: dict[str, str]) -> None:
    plan = plan_of({"a": [Note("/srv/x", "new")], "b": [Note("/srv/z", "refused")]})
    code, shown = on_a_terminal(site, "run", site.write(plan), "--yes", *argv, environment=environment)
    assert code == 3
    assert "\x1b" not in shown


@pytest.mark.parametrize("argv", [("-l", ""), ("--limit=",), ("--limit", "  ")])
def test_an_empty_limit_is_not_the_whole_fleet(site: Site, argv: tuple[str, ...]) -> None:
    for verb in (("check", "service-by-service"), ("run", "service-by-service", "--yes")):
        result = site.call(*verb, *argv)
        assert result.exit_code == 10 and "names nothing" in result.stderr, result.output


def test_quotes_are_no_remedy_for_a_word_that_is_none_of_those_known(site: Site) -> None:
    site.config.write_text("user_defined:\n  keep: 3\n")
    assert "quotes" not in site.call("history").stderr
    site.config.write_text("user_defined:\n  state: 3\n")
    assert "quotes" in site.call("history").stderr


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (("run", "full-upgrade", "--serial", "many"), "many"),
        (("run", "full-upgrade", "--set", "nonsense=1"), "nonsense"),
        (("run", "full-upgrade", "--accept-no-way-back", "web9"), "there is no host 'web9'"),
        (("run", "full-upgrade", "--limit", "web9"), "there is no host 'web9'"),
        (("resume", "--accept-no-way-back", "web9"), "there is no host 'web9'"),
        (("unwind", "--accept-no-way-back", "web9"), "there is no host 'web9'"),
        (("run", "full-upgrade"), "use --yes"),
    ],
)
def test_a_wrong_value_is_told_before_somebody_would_be_asked(site: Site, argv: tuple[str, ...], said: str) -> None:
    result = site.call(*argv)
    assert result.exit_code == (2 if "--yes" in said else 10) and said in result.stderr, result.output
    assert ("--yes" in result.stderr) is ("--yes" in said)
