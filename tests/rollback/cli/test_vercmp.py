"""`rollback vercmp`: its answers, its refusals, and that it says nothing else."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from rollback.cli.main import door
from tests.core import referees


def call(*argv: str, given: bytes = b"", code: int = 0) -> Result:
    result = CliRunner().invoke(door, ["vercmp", *argv], prog_name="rollback", input=given)
    assert result.exit_code == code, result.output
    return result


@pytest.mark.parametrize(
    ("flavour", "one", "other", "sign"),
    [
        ("deb", "1.0~rc1-1", "1.0-1", "<"),
        ("deb", "1.0", "1.00-0", "="),
        ("deb", "1:1", "2", ">"),
        ("deb", "foo_1", "1", ">"),
        ("deb", "", "~", "<"),
        ("rpm", "1.0^git1-1", "1.0.1-1", "<"),
        ("rpm", "1.0é1", "1.0.1", "="),
        ("rpm", "1.0-1", "1.0", ">"),
    ],
)
def test_one_pair(flavour: str, one: str, other: str, sign: str) -> None:
    assert call(flavour, one, other).stdout == f"{sign}\n"
    assert json.loads(call(flavour, one, other, "-o", "json").stdout) == {"order": sign}


@pytest.mark.parametrize("flavour", ["deb", "rpm"])
def test_every_row_of_the_tables(flavour: str) -> None:
    rows = [row for row in referees.table(flavour) if row[2] != "refused"]
    given = "".join(f"{one}\t{other}\n" for one, other, _ in rows).encode()
    assert call(flavour, "-", given=given).stdout.splitlines() == [told for *_, told in rows]


def test_a_last_line_without_end_counts_and_no_line_is_no_answer() -> None:
    assert call("deb", "-", given=b"1\t2\n2\t1").stdout == "-1\n1\n"
    assert call("deb", "-").stdout == ""
    assert json.loads(call("deb", "-", "-o", "json").stdout) == {"orders": []}
    assert json.loads(call("deb", "-", "-o", "json", given=b"1\t1\n").stdout) == {"orders": [0]}


def test_bytes_that_are_no_text_are_compared_as_the_tools_do() -> None:
    assert call("deb", "-", given=b"1\xb2\t1z\n1\xb2\t1!\n1\xb2\t1\xff\n").stdout == "1\n-1\n-1\n"
    assert call("rpm", "-", given=b"1\xff2\t1.2\n").stdout == "0\n"


@pytest.mark.parametrize(
    ("flavour", "line", "reason"),
    [
        ("deb", b"1.0 2.0", "one tab"),
        ("deb", b"", "one tab"),
        ("deb", b"1\t2\t3", "one tab"),
        ("deb", b"1\t2\r", "white space"),
        ("deb", b"x:1\t2", "epoch"),
        ("deb", b"2\t:1", "epoch"),
        ("deb", b"2\t1:", "upstream version is empty"),
        ("deb", b"1-\t2", "revision is empty"),
        ("deb", b"\x1b[31m \t2", "white space"),
        ("rpm", b"1.0", "one tab"),
        ("rpm", b"1\t2\t", "one tab"),
    ],
)
def test_a_bad_line_is_named_and_nothing_else_is_said(flavour: str, line: bytes, reason: str) -> None:
    result = call(flavour, "-", given=b"1\t2\n2\t2\n" + line + b"\n3\t3\n", code=10)
    assert result.stdout == ""
    assert "standard input, line 3: " in result.stderr and reason in result.stderr
    assert "\x1b" not in result.stderr


def test_bad_versions_and_bad_usage() -> None:
    assert "'1-' is no deb version" in call("deb", "1-", "2", code=10).stderr
    assert call("deb", "1", code=2).stdout == ""
    assert call("apk", "1", "2", code=2).stdout == ""
    assert call("deb", "1", "2", "3", code=2).stdout == ""


def test_the_program_reads_a_pipe() -> None:
    program = Path(sys.executable).with_name("rollback")
    done = subprocess.run([program, "vercmp", "deb", "-"], input=b"1\t1.0\n" * 5000, capture_output=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"-1\n" * 5000, b"")
