"""What is told of a failed command: why it failed, first; nothing that only fills lines."""

import os
import subprocess
from pathlib import Path

import pytest

from nornir_upgrade.core.error_output import excerpt
from nornir_upgrade.core.errors import CommandFailed, DiskFull
from nornir_upgrade.core.packaging.deb import arrangement, transaction
from nornir_upgrade.core.transport.host import Result
from nornir_upgrade.core.transport.sections import split

COMMIT = "git commit -q -m " + "x" * 4000
CONF = [f"Conf lib{number} (1.0-{number} Debian:12/stable [amd64])" for number in range(40)]
ETCKEEPER = [f" create mode 100644 pam.d/{number}" for number in range(20)]
IMMUTABLE = [
    "Reading package lists...",
    "Setting up libpam-modules:amd64 (1.5.2-6) ...",
    "mv: cannot move '/etc/pam.d/x.new' to '/etc/pam.d/x': Operation not permitted",
    "dpkg: error processing package libpam-modules:amd64 (--configure):",
    " installed libpam-modules:amd64 package post-installation script subprocess returned error exit status 1",
    "Errors were encountered while processing:",
    " libpam-modules:amd64",
    "[master 1234567] committing changes in /etc made by apt-get",
    f"  {COMMIT}",
    *ETCKEEPER,
    "E: Sub-process /usr/bin/dpkg returned an error code (1)",
]


@pytest.mark.parametrize(
    ("lines", "first"),
    [
        ([*CONF, "E: Unable to correct problems", *CONF], ["E: Unable to correct problems"]),
        ([*CONF, "x", "W: not signed", *CONF, "E: no", *CONF], ["W: not signed", "E: no", "x"]),
        (IMMUTABLE, [line.strip() for line in IMMUTABLE[2:5]]),
        (
            [
                "Unpacking a ...",
                "dpkg: error processing archive /a.deb (--unpack):",
                " unable to open '/x': Permission denied",
                "z",
            ],
            [
                "dpkg: error processing archive /a.deb (--unpack):",
                "unable to open '/x': Permission denied",
                "Unpacking a ...",
                "z",
            ],
        ),
        (
            [
                "Setting up b ...",
                *("one", "two", "three", "four"),
                "dpkg: error processing package b (--configure):",
                " installed b package post-installation script subprocess returned error exit status 3",
                "done",
            ],
            ["two", "three", "four", "dpkg: error processing package b (--configure):"],
        ),
        (["Setting up b ...", "frob: error 7", "bye"], ["frob: error 7", "Setting up b ...", "bye"]),
        ([*(f"W: {number}" for number in range(20)), "tar: No space left on device"], ["W: 0"]),
        (CONF, CONF[-12:]),
        ([str(number) for number in range(40)], [str(number) for number in range(28, 40)]),
        ([], []),
    ],
)
def test_what_says_why_comes_first(lines: list[str], first: list[str]) -> None:
    found = excerpt("\n".join(lines)).splitlines()
    assert found[: len(first)] == first
    assert len(found) <= 12 and all(len(line) <= 200 for line in found)
    assert lines == CONF or not any(line.startswith(("Conf ", "create mode")) for line in found)


def test_no_warning_hides_what_the_system_refused() -> None:
    lines = [*(f"W: {number}" for number in range(20)), "tar: No space left on device"]
    assert "tar: No space left on device" in excerpt("\n".join(lines)).splitlines()


def test_a_long_line_keeps_the_fault_that_it_names() -> None:
    (line,) = excerpt(f"{COMMIT}: Operation not permitted, {'y' * 400}").splitlines()
    assert line.startswith("git commit") and "Operation not permitted" in line and len(line) <= 200


def test_a_failed_transaction_is_told_with_its_cause() -> None:
    failed = transaction.failure("web1", Result(100, "\n".join(IMMUTABLE).encode(), b""))
    assert isinstance(failed, CommandFailed)
    first, second, *_ = failed.message.splitlines()
    assert first == "web1: postinst of libpam-modules:amd64 ended with status 1:"
    assert second.endswith("Operation not permitted") and "mode 100644" not in failed.message


@pytest.mark.parametrize("full", [False, True])
def test_a_simulation_on_a_full_disk_says_so(tmp_path: Path, full: bool) -> None:
    """Where apt-get has no room for its question, it fails and need not say of what."""
    said = "echo 'dd: error writing: No space left on device' >&2; exit 1" if full else "exit 0"
    programs = {"apt-get": f"echo '{CONF[0]}'; echo 'E: it failed' >&2; exit 100", "dd": said}
    for name, text in programs.items():
        (tmp_path / name).write_text(f"#!/bin/sh\n{text}\n")
        (tmp_path / name).chmod(0o755)
    environment = os.environ | {"PATH": f"{tmp_path}:{os.environ['PATH']}"}
    argv = ["sh", "-c", arrangement.SIMULATE, "sh", "===b", "apt-get", "-s"]
    sections = split(
        subprocess.run(argv, env=environment, stdout=subprocess.PIPE, text=True, check=True).stdout, "===b"
    )
    result = Result(sections["said"].status, sections["said"].text.encode(), sections["errors"].text.encode())
    failed = transaction.failure("web1", result)
    assert isinstance(failed, DiskFull) is full
    assert full or failed.message.splitlines()[1] == "E: it failed"
