"""The two scripts around a call of dnf, with a stand-in that is told what to say and how to end, and a sleep(1) that only notes."""

import os
import subprocess
from pathlib import Path

import pytest

from nornir_upgrade.core.packaging.dnf.dnf4 import Dnf
from nornir_upgrade.core.packaging.model import PackageWant

WANT = [PackageWant("nova", "noarch", "2-1", "installed")]
STAND_IN = """\
#!/bin/sh
cat > plan
echo once >> calls
[ "$(wc -l < calls)" -gt {locked} ] || exit 200
printf '{said}' >&2
exit {status}
"""
CLOCK = '#!/bin/sh\necho "$@" >> pauses\n'


def ended(directory: Path, argv: tuple[str, ...], *, said: str = "", status: int = 0, locked: int = 0) -> int:
    for name, text in (("dnf", STAND_IN.format(said=said, status=status, locked=locked)), ("sleep", CLOCK)):
        (directory / name).write_text(text)
        (directory / name).chmod(0o755)
    (directory / "pauses").touch()
    path = {"PATH": f"{directory}:{os.environ['PATH']}"}
    return subprocess.run(argv, cwd=directory, env=path, capture_output=True, check=False).returncode


@pytest.mark.parametrize(
    "said, status, expected",
    [
        ("Operation aborted.\\n", 1, 0),
        ("Error: Operation aborted.\\n", 1, 0),
        ("Operation aborted by the user.\\n", 1, 0),
        ("Operation aborted.\\nError: no space\\n", 1, 1),
        ("Operation aborted.\\n", 3, 3),
        ("Error: nothing provides x\\n", 1, 1),
        ("", 0, 0),
    ],
)
def test_a_simulation_ends_well_only_where_dnf_was_told_no(
    tmp_path: Path, said: str, status: int, expected: int
) -> None:
    argv = Dnf().simulate(WANT, (), downgrade=False)
    assert ended(tmp_path, argv, said=said, status=status) == expected
    assert "nova-2-1.noarch" in (tmp_path / "plan").read_text()


@pytest.mark.parametrize("locked, wait, expected, calls", [(1, 2, 0, 2), (9, 1, 200, 2), (0, 0, 0, 1), (1, 0, 200, 1)])
def test_a_change_waits_for_a_lock_as_long_as_it_may(
    tmp_path: Path, locked: int, wait: int, expected: int, calls: int
) -> None:
    (argv,) = Dnf().change(WANT, (), downgrade=False, wait=wait)
    assert ended(tmp_path, argv, locked=locked) == expected
    assert (tmp_path / "pauses").read_text().split() == ["1"] * (calls - 1), "a second between two attempts"
    assert (tmp_path / "calls").read_text().count("once") == calls
    assert "nova-2-1.noarch" in (tmp_path / "plan").read_text(), "every attempt is told the plan"


def test_a_change_that_fails_is_not_tried_again(tmp_path: Path) -> None:
    (argv,) = Dnf().change(WANT, (), downgrade=False, wait=5)
    assert ended(tmp_path, argv, status=1) == 1
    assert (tmp_path / "pauses").read_text() == ""
    assert (tmp_path / "calls").read_text().count("once") == 1
