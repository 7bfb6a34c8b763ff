"""Standard streams that are closed, full, or read by nobody: work goes on, and no ending is a traceback."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.site import ROOT, Site
from tests.core.toys import Note, plan_of

PLAN = plan_of({"a": [Note("/tmp/1", "x")], "b": [Note("/tmp/1", "x")]}, {"a": [Note("/tmp/2", "x")]})
FAILING = plan_of({"a": [Note("/tmp/1", "refused")], "b": [Note("/tmp/1", "x")]})


def shell(site: Site, words: str) -> tuple[int, str, str]:
    """How a command line of a shell ends: status, and what came out of both streams that it left alone."""
    command = f"{sys.executable} -m tests.cli.driver {words}"
    ended = subprocess.run(
        ["bash", "-c", command],
        cwd=site.directory,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert "Traceback" not in ended.stderr
    return ended.returncode, ended.stdout, ended.stderr


@pytest.mark.parametrize("where", ["2>/dev/full", ">&- 2>&- <&-", "2> >(exec <&-)"])
def test_a_run_goes_on_though_nobody_can_be_told(tmp_path: Path, where: str) -> None:
    site = Site(tmp_path)
    assert shell(site, f"run {site.write(PLAN)} --yes {where}")[0] == 0
    assert site.journal().run("last").status == "succeeded"
    assert site.notes("a") == {"/tmp/1": "x", "/tmp/2": "x"}


def test_a_result_that_cannot_be_written_is_told_and_what_failed_says_so(tmp_path: Path) -> None:
    site = Site(tmp_path)
    code, _, told = shell(site, f"run {site.write(PLAN)} --yes >/dev/full")
    assert code == 10 and "standard output: No space left on device" in told
    assert site.journal().run("last").status == "succeeded"
    code, _, told = shell(site, f"run {site.write(FAILING)} --yes >/dev/full")
    assert code == 3 and "standard output: No space left on device" in told
    assert "go back with: nornir-upgrade unwind" in told


@pytest.mark.parametrize("asked", ["--help", "--version", "plan --help", "lab up --help"])
def test_help_that_cannot_be_written_is_told(tmp_path: Path, asked: str) -> None:
    code, _, told = shell(Site(tmp_path), f"{asked} >/dev/full")
    assert code == 10 and "standard output: No space left on device" in told


@pytest.mark.parametrize("asked", ["--help", "status --help"])
def test_help_that_nobody_reads_ends_as_other_programs_do(tmp_path: Path, asked: str) -> None:
    """As one that SIGPIPE ends."""
    reader, writer = os.pipe()
    os.close(reader)
    argv = [sys.executable, "-m", "tests.cli.driver", *asked.split()]
    ended = subprocess.run(argv, cwd=ROOT, stdout=writer, stderr=subprocess.PIPE, check=False)
    os.close(writer)
    assert (ended.returncode, ended.stderr) == (141, b"")


def test_nobody_is_asked_through_a_closed_standard_input(tmp_path: Path) -> None:
    site = Site(tmp_path)
    code, _, told = shell(site, f"run {site.write(PLAN)} <&-")
    assert code == 2 and "use --yes" in told and site.notes("a") == {}
