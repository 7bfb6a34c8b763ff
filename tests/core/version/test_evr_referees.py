"""A hundred thousand pairs for each referee, and every version in this machine's suites: nobody disagrees.

Needs Debian's python3-apt, python3-rpm and dpkg-dev, and apt's lists of two suites.
"""

import itertools
import re
import subprocess
import sys
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

import pytest

from nornir_upgrade.core.errors import InvalidInput
from nornir_upgrade.core.version import deb, rpm
from tests.core import referees
from tests.core.versions import DEB, INVALID, RPM, Pair, pairs

pytestmark = pytest.mark.lab

PAIRS = 100_000
_RELATION = re.compile(r"([a-z0-9][a-z0-9+.-]+)(?::any)? \([<>=]+ ([^)]+)\)")
_RELATIONS = re.compile(r"^(?:Pre-Depends|Depends|Recommends|Suggests|Breaks|Conflicts|Replaces|Provides): (.+)$", re.M)
_CAT = "/usr/lib/apt/apt-helper"


@pytest.fixture(scope="module")
def valid() -> list[Pair]:
    drawn = [pair for pair in pairs(21, 160_000, DEB) if all(map(_valid, pair))][:PAIRS]
    assert len(drawn) == PAIRS
    return drawn


def test_dpkgs_library_and_apt_agree(valid: list[Pair]) -> None:
    ours = [_sign(deb.compare(*pair)) for pair in valid]
    assert set(ours) == {-1, 0, 1}
    assert not _disagreements(valid, ours, referees.dpkg_perl(valid))
    assert not _disagreements(valid, ours, referees.apt(valid))
    assert not _disagreements(valid, vercmp("deb", valid), ours)


def test_dpkg_itself_agrees_and_refuses_the_same() -> None:
    drawn = pairs(22, 1500, DEB) + pairs(23, 1500, DEB + INVALID)
    asked = [pair for pair in drawn if all(text and text[0] != "-" for text in pair)]
    told = referees.dpkg(asked)
    assert told.count(None) > 300
    assert not _disagreements(asked, [_found(*pair) for pair in asked], told)


def test_apt_agrees_on_what_is_invalid() -> None:
    """But for signed epochs, which dpkg reads as numbers and apt as text."""
    asked = [pair for pair in pairs(24, 150_000, DEB + INVALID) if not any(text[:1] in ("+", "-") for text in pair)]
    ours = [_found(*pair) for pair in asked]
    kept = [(pair, order) for pair, order in zip(asked, ours, strict=True) if order is not None and all(pair)]
    assert len(kept) > PAIRS
    asked, ours = [pair for pair, _ in kept], [order for _, order in kept]
    assert not _disagreements(asked, ours, referees.apt(asked))


def test_librpm_agrees() -> None:
    asked = [pair for pair in pairs(25, 101_000, RPM) if all(pair)]
    assert len(asked) > PAIRS
    told = referees.rpm(asked)
    assert set(told) == {-1, 0, 1}
    assert not _disagreements(asked, [_sign(rpm.compare(*pair)) for pair in asked], told)
    lines = [number for number, pair in enumerate(asked) if "\n" not in "".join(pair)]
    asked, told = [asked[number] for number in lines], [told[number] for number in lines]
    assert not _disagreements(asked, vercmp("rpm", asked), told)


def test_all_versions_of_equal_names_in_this_machines_suites() -> None:
    """Of packages, and of relations to them: those hold the versions that no archive has, `1.10.0-0~` and the like."""
    suites = _suites()
    assert len(suites) >= 2, "apt's lists hold fewer than two suites: run apt-get update"
    known: dict[str, set[str]] = defaultdict(set)
    for text in suites.values():
        names = re.findall(r"^Package: (.+)$", text, re.M)
        for name, version in zip(names, re.findall(r"^Version: (.+)$", text, re.M), strict=True):
            known[name].add(version)
        for name, version in _RELATION.findall("\n".join(_RELATIONS.findall(text))):
            known[name].add(version)
    asked = [(one, other) for found in known.values() for one, other in itertools.product(sorted(found), repeat=2)]
    assert len(asked) > PAIRS
    assert not _disagreements(asked, vercmp("deb", asked), referees.apt(asked))


def test_the_tables_are_what_the_tools_say_today() -> None:
    for name, told in (("deb", referees.dpkg), ("rpm", referees.rpm)):
        rows = referees.table(name)
        answers = told([(one, other) for one, other, _ in rows])
        assert [row[2] for row in rows] == ["refused" if order is None else str(order) for order in answers]
    rows = referees.table("deb_validity")
    assert [row[2] for row in rows] == [str(status) for status in referees.dpkg_validates(text for text, *_ in rows)]


@pytest.mark.parametrize(("flavour", "alphabet"), [("deb", DEB), ("rpm", RPM.replace("\n", ""))])
def test_every_pair_of_a_long_stream_is_answered(flavour: str, alphabet: str) -> None:
    """`python -m benchmarks versions` measures how many a second."""
    drawn = [
        pair for pair in pairs(26, 150_000, alphabet) if all(pair) and (flavour == "rpm" or all(map(_valid, pair)))
    ]
    assert len(vercmp(flavour, drawn)) == len(drawn) > 90_000


# ---------------------------------------------------------------------- ways to an answer


def vercmp(flavour: str, asked: Sequence[Pair]) -> list[int]:
    """What the program `rollback vercmp` prints."""
    program = Path(sys.executable).with_name("rollback")
    given = "".join(f"{one}\t{other}\n" for one, other in asked).encode()
    done = subprocess.run([program, "vercmp", flavour, "-"], input=given, capture_output=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr.decode()
    return [int(line) for line in done.stdout.split()]


def _found(one: str, other: str) -> int | None:
    try:
        return _sign(deb.compare(one, other))
    except InvalidInput:
        return None


def _valid(text: str) -> bool:
    try:
        return bool(deb.check(text))
    except InvalidInput:
        return False


def _disagreements(
    asked: Sequence[Pair], ours: Sequence[int | None], theirs: Sequence[int | None]
) -> list[tuple[Pair, int | None, int | None]]:
    """The first of them: pair, our order, theirs."""
    rows = zip(asked, ours, theirs, strict=True)
    return list(itertools.islice((row for row in rows if row[1] != row[2]), 10))


def _sign(number: int) -> int:
    return (number > 0) - (number < 0)


def _suites() -> dict[str, str]:
    """The text of every index of packages that apt has here, by the codename of its suite."""
    argv = ("apt-get", "indextargets", "--format", "$(CODENAME) $(FILENAME)", "Created-By: Packages")
    lists = subprocess.run(argv, capture_output=True, check=True, text=True).stdout.splitlines()
    found: dict[str, str] = defaultdict(str)
    for line in lists:
        codename, path = line.split(" ", 1)
        found[codename] += subprocess.run((_CAT, "cat-file", path), capture_output=True, check=True).stdout.decode()
    return found
