"""What can be had: the parser, and the script itself with this machine's own apt over a repository made for the test."""

import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

from nornir_upgrade.core.errors import CommandFailed, InvalidInput
from nornir_upgrade.core.host import Host, Result, checked
from rollback.catalog import Candidate, catalog, offered, parse

LINE = "nova-common\t1:2013.2-0ubuntu1~cloud0\tall\t1024\tabc\thttp://archive old/main amd64 Packages"


def test_a_line_is_a_candidate() -> None:
    (found,) = parse(LINE + "\n", "ctl1")
    assert found == Candidate(
        "nova-common", "all", "1:2013.2-0ubuntu1~cloud0", "http://archive old/main amd64 Packages", "abc", 1024
    )


@pytest.mark.parametrize(
    "line", ["", "nova-common", LINE + "\tmore", "\t" + LINE.split("\t", 1)[1], LINE.replace("1024", "big")]
)
def test_what_is_no_candidate_is_refused_with_its_line(line: str) -> None:
    with pytest.raises(InvalidInput, match="ctl1: line 2"):
        parse(f"{LINE}\n{line}\n", "ctl1")


def test_the_first_index_that_offers_a_version_counts() -> None:
    one, other = (Candidate("nova", "all", "1", origin) for origin in ("first", "second"))
    assert catalog((one, other)).find("nova", "all", "1") == one
    assert catalog((one,)).find("nova", "all", "1.0") is None
    assert catalog((one,)).find("nova", "amd64", "1") is None


# ---------------------------------------------------------------------- with a real apt


class ThisMachine:
    """As much of a host as the catalogue asks for, with an apt configuration of its own."""

    name = "here"

    def __init__(self, configuration: Path) -> None:
        self.environment = {"APT_CONFIG": str(configuration), "PATH": "/usr/bin:/bin:/usr/sbin:/sbin", "LC_ALL": "C"}

    def run(self, argv: Sequence[str], *, stdin: bytes = b"", timeout: float = 60.0, check: bool = True) -> Result:
        done = subprocess.run(
            argv, input=stdin, capture_output=True, timeout=timeout, env=self.environment, check=False
        )
        return checked(self.name, argv, Result(done.returncode, done.stdout, done.stderr))


class Machine:
    """An apt that knows nothing but `root`, and archives below it."""

    def __init__(self, root: Path) -> None:
        self.root = root
        for name in ("etc/sources.list.d", "lists/partial", "cache/archives/partial", "dpkg"):
            (root / name).mkdir(parents=True)
        (root / "dpkg/status").touch()
        (root / "apt.conf").write_text(
            f'Dir::Etc "{root}/etc";\nDir::State::lists "{root}/lists";\nDir::State::status "{root}/dpkg/status";\n'
            f'Dir::Cache "{root}/cache";\nDir::Log "{root}";\nAPT::Sandbox::User "";\n'
            f'APT::Architecture "amd64";\nAcquire::Languages "none";\n'
            f'APT::Update::Post-Invoke {{"touch {root}/hook-ran";}};\n'
        )
        self.host: Host = ThisMachine(root / "apt.conf")  # type: ignore[assignment]

    def archive(self, name: str, *packages: tuple[str, str, str], method: str = "file") -> str:
        """A repository of packages (name, version, architecture); returns the line that names it.

        By the method `file` apt links to the indexes, by `copy` it has its own.
        """
        place = self.root / name
        place.mkdir()
        stanzas = (
            f"Package: {package}\nArchitecture: {arch}\nVersion: {version}\nMaintainer: nobody\n"
            f"Filename: ./{package}.deb\nSize: 42\nSHA256: {'a' * 64}\nDescription: Package: of nothing\n"
            for package, version, arch in packages
        )
        (place / "Packages").write_text("\n".join(stanzas))
        return f"deb [trusted=yes] {method}:{place} ./\n"

    def source(self, name: str) -> str:
        return str(self.root / "etc/sources.list.d" / name)

    def update(self) -> None:
        """Afterwards apt has the indexes of the sources that are in place."""
        self.host.run(("apt-get", "-qq", "update"))
        (self.root / "hook-ran").unlink()

    def files(self) -> dict[str, bytes]:
        return {str(path): path.read_bytes() for path in sorted(self.root.rglob("*")) if path.is_file()}


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    if not shutil.which("apt-get"):
        pytest.fail("these tests need apt")
    return Machine(tmp_path)


def test_an_archive_that_is_off_is_looked_into_and_one_that_is_on_is_left_out(machine: Machine) -> None:
    old = machine.archive("old", ("nova", "1", "all"), ("quantum", "1", "amd64"), ("unasked", "1", "all"))
    new = machine.archive("new", ("nova", "2", "all"), ("neutron", "2", "all"))
    kept = machine.archive("kept", ("less", "5", "amd64"))
    Path(machine.source("new.list")).write_text(new)
    Path(machine.source("kept.list")).write_text(kept)
    machine.update()
    before = machine.files()
    found = offered(
        machine.host,
        {machine.source("old.list"): old, machine.source("new.list"): None},
        ("nova", "quantum", "neutron", "less"),
    )
    assert sorted((one.name, one.version, one.arch) for one in found.candidates.values()) == [
        ("less", "5", "amd64"),
        ("nova", "1", "all"),
        ("quantum", "1", "amd64"),
    ]
    nova = found.find("nova", "all", "1")
    assert nova is not None and str(machine.root / "old") in nova.origin
    assert (nova.size, nova.digest) == (42, "a" * 64)
    assert machine.files() == before


def test_sources_as_they_are_need_no_fetching(machine: Machine) -> None:
    line = machine.archive("only", ("nova", "1", "all"), method="copy")
    Path(machine.source("only.list")).write_text(line)
    machine.update()
    shutil.rmtree(machine.root / "only")
    found = offered(machine.host, {machine.source("only.list"): line}, ("nova",))
    assert found.find("nova", "all", "1") is not None


def test_an_archive_that_is_gone_is_an_error_and_not_an_empty_catalogue(machine: Machine) -> None:
    line = machine.archive("old", ("nova", "1", "all"))
    shutil.rmtree(machine.root / "old")
    with pytest.raises(CommandFailed, match="here"):
        offered(machine.host, {machine.source("old.list"): line}, ("nova",))


def test_source_files_elsewhere_are_none_of_our_business(machine: Machine) -> None:
    line = machine.archive("old", ("nova", "1", "all"))
    assert not offered(machine.host, {"/etc/hostname": line}, ("nova",)).candidates


def test_names_are_data_for_the_shell_and_for_awk(machine: Machine, tmp_path: Path) -> None:
    line = machine.archive("old", ("nova", "1", "all"))
    hostile = (f"$(touch {tmp_path}/canary)", f"`touch {tmp_path}/canary`", "a' -v b=1 '", "no\\nva", "-e")
    found = offered(machine.host, {machine.source("old.list"): line}, ("nova", *hostile))
    assert [one.name for one in found.candidates.values()] == ["nova"]
    assert not (tmp_path / "canary").exists()
