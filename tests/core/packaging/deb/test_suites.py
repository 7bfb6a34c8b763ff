"""Suites in source files: replaced where apt reads them, and nowhere else."""

import subprocess
from pathlib import Path

import pytest

from nornir_upgrade.core.packaging.deb.suites import Rewritten, renamed, rewrite

RENAMES = (("bookworm", "trixie"), ("bookworm-*", "trixie-*"))
ONE_LINE = """\
# deb http://deb.example.org/debian bookworm main
#deb cdrom:[Debian GNU/Linux 12.0.0 _Bookworm_]/ bookworm main

deb http://deb.example.org/debian bookworm main contrib # bookworm
deb-src\t[ arch=amd64 signed-by=/usr/share/keyrings/debian-archive-keyring.gpg ]  http://deb.example.org/debian  bookworm-updates main
deb [trusted=yes] file:/srv/bookworm bookworm/
deb http://security.example.org/debian-security bookworm-security main
deb https://repo.example/apt stable main
deb cdrom:[Debian GNU/Linux 12 _Bookworm_]/ bookworm main
deb http://deb.example.org/debian bookworm-backports main"""
DEB822 = """\
# The archive: bookworm
Types: deb deb-src
URIs: http://deb.example.org/debian
suites: bookworm bookworm-updates
 # not this: bookworm
# nor this: bookworm-updates
\tbookworm-backports sid
Components: main
Signed-By:
 -----BEGIN PGP PUBLIC KEY BLOCK-----
 .
 bookworm
 -----END PGP PUBLIC KEY BLOCK-----

Types: deb
URIs: http://vendor.example/
Suites: stable
Components: main

Enabled: no
Types: deb
URIs: http://old.example/
Suites: bookworm
Components: main
"""


def made(path: str, text: str) -> Rewritten:
    found = rewrite(path, text, RENAMES)
    assert found is not None
    return found


def test_lines_keep_everything_but_their_suite() -> None:
    found = made("/etc/apt/sources.list", ONE_LINE)
    changed = [(old, new) for old, new in zip(ONE_LINE.split("\n"), found.text.split("\n"), strict=True) if old != new]
    assert [new for _, new in changed] == [
        "deb http://deb.example.org/debian trixie main contrib # bookworm",
        "deb-src\t[ arch=amd64 signed-by=/usr/share/keyrings/debian-archive-keyring.gpg ]  "
        "http://deb.example.org/debian  trixie-updates main",
        "deb http://security.example.org/debian-security trixie-security main",
        "deb http://deb.example.org/debian trixie-backports main",
    ]
    assert found.added == "".join(f"{new}\n" for _, new in changed)


def test_paragraphs_keep_everything_but_their_suites() -> None:
    found = made("/etc/apt/sources.list.d/debian.sources", DEB822)
    expected = DEB822.replace("suites: bookworm bookworm-updates", "suites: trixie trixie-updates")
    expected = expected.replace("\tbookworm-backports sid", "\ttrixie-backports sid")
    assert found.text.replace(" # not this: trixie", " # not this: bookworm") == expected
    assert found.added.startswith("Suites: trixie trixie-updates")
    assert "sid" not in found.added and "vendor" not in found.added and "-----END PGP" in found.added


@pytest.mark.parametrize(
    "text", ["", "\n\n", "# bookworm\n", "deb http://x/ sid main\n", "Suites: bookworm\n", "deb\n"]
)
def test_a_file_without_the_suites_stays(text: str) -> None:
    assert rewrite("/etc/apt/sources.list", text, RENAMES) is None
    assert rewrite("/etc/apt/sources.list.d/x.sources", text.replace("Suites: bookworm", ""), RENAMES) is None


@pytest.mark.parametrize(
    ("suite", "new"), [("bookworm", "trixie"), ("bookworm-pgdg", "trixie-pgdg"), ("bookworms", "bookworms"), ("x", "x")]
)
def test_a_suite_is_renamed_as_a_whole(suite: str, new: str) -> None:
    assert renamed(suite, RENAMES) == new


@pytest.mark.lab
@pytest.mark.parametrize(("name", "text"), [("sources.list", ONE_LINE + "\n"), ("debian.sources", DEB822)])
def test_apt_reads_the_file_as_it_read_the_old_one_but_for_the_suites(tmp_path: Path, name: str, text: str) -> None:
    """What goes beside the old file means the entries that changed."""

    def read(content: str) -> set[tuple[str, ...]]:
        (tmp_path / name).write_text(content)
        options = (
            f"Dir::Etc::sourcelist={tmp_path / name}",
            "Dir::Etc::sourceparts=-",
            f"Dir::State::lists={tmp_path}",
        )
        argv = [
            "apt-get",
            *(word for option in options for word in ("-o", option)),
            "indextargets",
            "--no-release-info",
        ]
        form = ("--format", "$(REPO_URI)\t$(RELEASE)\t$(COMPONENT)\t$(ARCHITECTURE)\t$(SIGNED_BY)\t$(CREATED_BY)")
        done = subprocess.run([*argv, *form], capture_output=True, text=True, check=True)
        return {tuple(line.split("\t")) for line in done.stdout.splitlines()}

    new = made(name, text)
    old = read(text)
    expected = {
        (uri, renamed(suite, RENAMES), *rest) if "cdrom" not in uri else (uri, suite, *rest)
        for uri, suite, *rest in old
    }
    assert old and read(new.text) == expected
    assert read(new.added) == expected - old
