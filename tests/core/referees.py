"""The programs that say how versions are ordered: dpkg, apt, dpkg's Perl library, and rpm.

`python -m tests.core.referees` writes the tables in `tests/cases/versions` anew from this machine's dpkg and rpm.
"""

import json
import subprocess
from collections.abc import Iterable, Sequence
from itertools import product
from pathlib import Path

from tests.core.versions import DEB, INVALID, RPM, Pair, pairs

TABLES = Path(__file__).parents[1] / "cases" / "versions"
_SYSTEM_PYTHON = "/usr/bin/python3"  # the one that has Debian's python3-apt and python3-rpm

_DPKG = """\
one=$(printf '\\001')
while IFS=$one read -r a b; do
    dpkg --compare-versions "$a" lt "$b" 2>/dev/null
    case $? in
    0) echo -1 ;;
    1) dpkg --compare-versions "$a" gt "$b" 2>/dev/null && echo 1 || echo 0 ;;
    *) echo refused ;;
    esac
done
"""
_VALIDATE = """\
while IFS= read -r text; do dpkg --validate-version "$text" 2>/dev/null; echo $?; done
"""
_APT = """\
import apt_pkg, json, sys
apt_pkg.init_system()
orders = [apt_pkg.version_compare(one, other) for one, other in json.load(sys.stdin)]
print(json.dumps([(order > 0) - (order < 0) for order in orders]))
"""
_RPM = """\
import json, rpm, sys
versions = [(rpm.ver(one), rpm.ver(other)) for one, other in json.load(sys.stdin)]
print(json.dumps([(one > other) - (one < other) for one, other in versions]))
"""
_PERL = """\
use Dpkg::Version;
while (<STDIN>) {
    chomp;
    my ($one, $other) = map { Dpkg::Version->new($_, check => 0) } split /\\x01/;
    my $valid = defined $one && defined $other && $one->is_valid() && $other->is_valid();
    print $valid ? $one <=> $other : 'refused', "\\n";
}
"""


def dpkg(asked: Iterable[Pair]) -> list[int | None]:
    """-1, 0 or 1 for each pair, None where `dpkg --compare-versions` gives up. Some 2 ms each."""
    return _orders(_run(("sh", "-c", _DPKG), "".join(f"{one}\x01{other}\n" for one, other in asked)))


def dpkg_validates(texts: Iterable[str]) -> list[int]:
    """What `dpkg --validate-version` ends with for each text: 0 valid, 1 known in old status files only, 2 unreadable."""
    return [int(line) for line in _run(("sh", "-c", _VALIDATE), "".join(f"{text}\n" for text in texts)).split()]


def dpkg_perl(asked: Iterable[Pair]) -> list[int | None]:
    """-1, 0 or 1 for each pair, None where one is invalid: by Dpkg::Version, of the Debian package libdpkg-perl."""
    return _orders(_run(("perl", "-e", _PERL), "".join(f"{one}\x01{other}\n" for one, other in asked)))


def apt(asked: Sequence[Pair]) -> list[int]:
    """-1, 0 or 1 for each pair, by libapt-pkg, whatever is in it."""
    return list(json.loads(_run((_SYSTEM_PYTHON, "-c", _APT), json.dumps(asked))))


def rpm(asked: Sequence[Pair]) -> list[int]:
    """-1, 0 or 1 for each pair of whole versions, by librpm. None of them is ''."""
    return list(json.loads(_run((_SYSTEM_PYTHON, "-c", _RPM), json.dumps(asked))))


def table(name: str) -> list[tuple[str, str, str]]:
    """The rows of `tests/cases/versions/NAME.tsv` below its head line."""
    rows = [line.split("\t") for line in (TABLES / f"{name}.tsv").read_text().splitlines()[1:]]
    return [(one, other, told) for one, other, told in rows]


def _orders(said: str) -> list[int | None]:
    return [None if word == "refused" else int(word) for word in said.split()]


def _run(argv: tuple[str, ...], text: str) -> str:
    done = subprocess.run(argv, input=text.encode(), capture_output=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout.decode()


# ---------------------------------------------------------------------- tables

_DEB_PARTS = (
    "",
    "0",
    "00",
    "0a",
    "a",
    "~",
    "1",
    "1~",
    "1.",
    "1.0",
    "1.0~",
    "1.00",
    "1+",
    "1a",
    "1Z",
    "10",
    "9",
    "é",
    "1²",
    "1²0",
)
_RPM_PARTS = (
    "",
    "0",
    "00",
    "a",
    "~",
    "^",
    ".",
    "1",
    "1~",
    "1^",
    "1.0",
    "1.0^",
    "1^1",
    "1~1",
    "1a",
    "1Z",
    "10",
    "é1",
    "1é",
)


def _write_tables() -> None:
    deb = [(f"1{one}", f"1{other}") for one, other in product(_DEB_PARTS, repeat=2) if one < other]
    deb += [(f"1-{one or 0}", f"1-{other}" if other else "1") for one, other in product(_DEB_PARTS, repeat=2)]
    deb += _printable(pairs(1, 500, DEB)) + _printable(pairs(2, 300, DEB + INVALID))
    rpm_asked = [(f"1{one}", f"1{other}") for one, other in product(_RPM_PARTS, repeat=2) if one < other]
    rpm_asked += [(f"1-{one}", f"1-{other}" if other else "1") for one, other in product(_RPM_PARTS, repeat=2)]
    rpm_asked += _printable(pairs(3, 700, RPM))
    texts = sorted({text for pair in _printable(pairs(4, 400, DEB + INVALID)) for text in pair if text[0] not in "+-"})
    TABLES.mkdir(exist_ok=True)
    _write("deb", deb, ["refused" if order is None else order for order in dpkg(deb)])
    _write("rpm", rpm_asked, rpm(rpm_asked))
    _write("deb_validity", [(text, "") for text in texts], dpkg_validates(texts))


def _printable(asked: Iterable[Pair]) -> list[Pair]:
    """Those that can stand in a table, and that a program can be asked for: an option's hyphen would be read as one."""
    return [pair for pair in asked if all(text.isprintable() and text and text[0] != "-" for text in pair)]


def _write(name: str, asked: Sequence[Pair], told: Sequence[object]) -> None:
    rows = [f"{one}\t{other}\t{order}\n" for (one, other), order in zip(asked, told, strict=True)]
    (TABLES / f"{name}.tsv").write_text("a\tb\ttold\n" + "".join(rows))


if __name__ == "__main__":
    _write_tables()
