"""dpkg on the way back from a release that moved files between packages: they stay. On a real host, with packages made for it."""

import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from hashlib import md5
from pathlib import Path
from types import MappingProxyType

import pytest

from nornir_upgrade.core.packaging.deb.file_guard import DPKG, VERIFY, kept_whole
from nornir_upgrade.lab.lab import Lab

pytestmark = pytest.mark.lab

HOST, HOME = "h1", "/var/lib/nornir-upgrade/dpkg"


@dataclass(frozen=True)
class Bench:
    """Packages made here, and dpkg there: the host's own (`plain`), or the one that looks after lost files."""

    lab: Lab
    directory: Path

    def make(
        self,
        name: str,
        files: Mapping[str, str],
        version: str = "1",
        scripts: Mapping[str, str] = MappingProxyType({}),
        conffiles: tuple[str, ...] = (),
        **fields: str,
    ) -> str:
        """The path on the host of a package that holds `files` (path -> text, `-> target` for a symbolic link)."""
        root = self.directory / f"{name}_{version}_all"
        for path, text in files.items():
            file = root / path.lstrip("/")
            file.parent.mkdir(parents=True, exist_ok=True)
            if text.startswith("-> "):
                file.symlink_to(text.removeprefix("-> "))
            else:
                file.write_text(text)
        control = {"Package": name, "Version": version, "Architecture": "all", "Maintainer": "Lab <lab@lab.invalid>"}
        control |= {**fields, "Description": "test"}
        (root / "DEBIAN").mkdir()
        (root / "DEBIAN/control").write_text("".join(f"{key}: {value}\n" for key, value in control.items()))
        sums = {path.lstrip("/"): root / path.lstrip("/") for path, text in files.items() if not text.startswith("-> ")}
        lines = (f"{md5(file.read_bytes()).hexdigest()}  {path}\n" for path, file in sums.items())
        (root / "DEBIAN/md5sums").write_text("".join(lines))  # as dh_md5sums(1) makes it
        if conffiles:
            (root / "DEBIAN/conffiles").write_text("".join(f"{path}\n" for path in conffiles))
        for script, text in scripts.items():
            (root / "DEBIAN" / script).write_text(f"#!/bin/sh\n{text}\n")
            (root / "DEBIAN" / script).chmod(0o755)
        archive = root.with_suffix(".deb")
        subprocess.run(
            ["dpkg-deb", "--root-owner-group", "-Znone", "-b", root, archive], check=True, capture_output=True
        )
        target = f"/var/cache/apt/archives/{archive.name}"
        self.lab.run(HOST, ["sh", "-c", 'cat > "$1"', "sh", target], archive.read_bytes())
        return target

    def dpkg(self, *arguments: str, plain: bool = False) -> None:
        """Run dpkg, which must succeed; ours knows what the archives hold, as apt's hook tells it."""
        archives = "".join(f"{word}\n" for word in arguments if word.endswith(".deb"))
        if archives and not plain:
            self.lab.run(HOST, [f"{HOME}/verify"], archives.encode())
        self.lab.run(HOST, ["dpkg" if plain else f"{HOME}/dpkg", *arguments])

    def text(self, path: str) -> str:
        """What stands there, '' where nothing does."""
        return self.lab.run(HOST, ["cat", path], check=False).stdout.decode()

    def owner(self, path: str) -> str:
        """The package that dpkg says the path is of."""
        return self.lab.run(HOST, ["dpkg", "-S", path], check=False).stdout.decode().partition(":")[0]


@pytest.fixture
def bench(nodes: Lab, tmp_path: Path) -> Iterator[Bench]:
    nodes.run(HOST, ["sh", "-c", f"rm -rf {HOME}; mkdir -p {HOME}"])
    for name, text in (("dpkg", DPKG), ("verify", VERIFY)):
        nodes.run(HOST, ["sh", "-c", f"cat > {HOME}/{name} && chmod 755 {HOME}/{name}"], text.encode())
    yield Bench(nodes, tmp_path)


OLD = {"/usr/lib/moved/lib.so.1": "old", "/usr/lib/moved/lib.so": "-> lib.so.1", "/usr/share/old": "old"}
NEW = {"/usr/lib/moved/lib.so.1": "new", "/usr/lib/moved/lib.so": "-> lib.so.1"}
RENAMED = {"Breaks": "old (<< 2)", "Replaces": "old"}


@pytest.mark.parametrize("plain", [True, False])
def test_a_file_that_the_package_of_the_new_name_replaces(bench: Bench, plain: bool) -> None:
    old, new = bench.make("old", OLD), bench.make("new", NEW, **RENAMED)
    bench.dpkg("-i", new, plain=True)
    bench.dpkg("--unpack", "--auto-deconfigure", "--force-breaks", old, plain=plain)
    bench.dpkg("--force-depends", "--remove", "new", plain=plain)
    # What this is for: dpkg alone loses the file, and says nothing.
    assert bench.text("/usr/lib/moved/lib.so") == ("" if plain else "old")
    assert bench.owner("/usr/lib/moved/lib.so.1") == ("" if plain else "old")
    assert bench.text("/usr/share/old") == "old"


@pytest.mark.parametrize("plain", [True, False])
def test_a_file_that_is_below_lib_and_below_usr_lib(bench: Bench, plain: bool) -> None:
    old = bench.make("old", {path.removeprefix("/usr"): text for path, text in OLD.items() if "/lib/" in path})
    new = bench.make("new", NEW)
    bench.dpkg("-i", new, plain=True)
    bench.dpkg("--unpack", old, plain=plain)
    bench.dpkg("--remove", "new", plain=plain)
    assert bench.text("/usr/lib/moved/lib.so") == ("" if plain else "old")


@pytest.mark.parametrize("plain", [True, False])
def test_a_file_that_moves_back_from_a_package_which_stays(bench: Bench, plain: bool) -> None:
    small, large = bench.make("other", {"/usr/share/other": "1"}), bench.make("other", {**NEW}, "2", **RENAMED)
    old = bench.make("old", OLD)
    bench.dpkg("-i", large, plain=True)
    bench.dpkg("--unpack", "--force-breaks", old, plain=plain)
    bench.dpkg("--unpack", "--force-downgrade", small, plain=plain)
    assert bench.text("/usr/lib/moved/lib.so.1") == ("" if plain else "old")


def test_what_was_lost_when_the_power_failed_is_mended_by_the_next_transaction(bench: Bench) -> None:
    old, new = bench.make("old", OLD), bench.make("new", NEW, **RENAMED)
    bench.dpkg("-i", new, plain=True)
    bench.dpkg("--unpack", "--auto-deconfigure", "--force-breaks", old)
    killed = f"sed 's,^  again && tool rm,  kill -9 $$; &,' {HOME}/dpkg > {HOME}/cut; sh {HOME}/cut --force-depends --remove new"
    assert bench.lab.run(HOST, ["sh", "-c", killed], check=False).returncode == 137
    assert bench.text("/usr/lib/moved/lib.so") == "new"
    assert bench.lab.run(HOST, kept_whole(["echo", "done"], "")).stdout.endswith(b" done\n")
    assert bench.text("/usr/lib/moved/lib.so") == "old"
    assert bench.lab.run(HOST, ["ls", HOME], check=False).stdout == b""


@pytest.mark.parametrize("plain", [True, False])
@pytest.mark.parametrize("path", ["/usr/lib/moved", "/lib/moved"])
def test_a_file_is_there_at_every_moment_of_the_removal(bench: Bench, plain: bool, path: str) -> None:
    old = bench.make("old", {file.replace("/usr/lib/moved", path): text for file, text in OLD.items()})
    watch = 'echo "$1: $(cat /usr/lib/moved/lib.so 2>&1)" >> /tmp/seen'
    new = bench.make("new", {**NEW, "/usr/share/new": "new"}, scripts={"prerm": watch, "postrm": watch}, **RENAMED)
    bench.dpkg("-i", new, plain=True)
    bench.dpkg("--unpack", "--auto-deconfigure", "--force-breaks", old, plain=plain)
    bench.lab.run(HOST, ["rm", "-f", "/tmp/seen"])
    bench.dpkg("--force-depends", "--remove", "new", plain=plain)
    seen = bench.text("/tmp/seen").splitlines()
    assert len(seen) == 2 and (seen[1] in ("remove: old", "remove: new")) is (not plain)
    assert bench.text("/usr/lib/moved/lib.so") == ("" if plain else "old")


def test_a_conffile_and_a_link_that_were_left_out_come_back(bench: Bench) -> None:
    """No list and no md5sums has them then: only the archive does."""
    files = {"/etc/moved.conf": "old", "/usr/lib/moved/lib.so": "-> lib.so.1", "/usr/share/old": "old"}
    old = bench.make("old", files, conffiles=("/etc/moved.conf",))
    new = bench.make("new", {**files, "/usr/share/old": "new"}, conffiles=("/etc/moved.conf",), **RENAMED)
    bench.dpkg("-i", new, plain=True)
    bench.dpkg("--unpack", "--auto-deconfigure", "--force-breaks", old)
    bench.dpkg("--force-depends", "--remove", "new")
    bench.dpkg("--purge", "new")
    bench.dpkg("--configure", "old")
    assert bench.owner("/etc/moved.conf") == bench.owner("/usr/lib/moved/lib.so") == "old"
    assert bench.text("/etc/moved.conf") == "old"


def test_an_archive_that_ends_too_early_is_refused(bench: Bench) -> None:
    whole = bench.make("old", OLD)
    bench.lab.run(HOST, ["truncate", "-s", "-600", whole])
    done = bench.lab.run(HOST, [f"{HOME}/verify"], f"{whole}\n".encode(), check=False)
    assert done.returncode == 1 and b"cannot be read" in done.stderr


def test_sshd_loads_itself_again_as_soon_as_it_is_unpacked(bench: Bench) -> None:
    """A package that is called as sshd's is enough: what is asked for is the signal."""
    pid = bench.lab.run(HOST, ["cat", "/run/sshd.pid"]).stdout
    renamed = "/var/cache/apt/archives/openssh-server_0_all.deb"
    bench.lab.run(HOST, ["cp", bench.make("probe", {"/usr/share/probe": "there"}), renamed])
    bench.dpkg("--unpack", renamed)
    bench.lab.run(HOST, ["true"])  # it lets people in
    log = bench.lab.run(HOST, ["journalctl", "-u", "ssh", "--no-pager", "-o", "cat"]).stdout.decode()
    assert "Received SIGHUP; restarting." in log and bench.lab.run(HOST, ["cat", "/run/sshd.pid"]).stdout == pid


def test_what_goes_for_good_is_gone_and_what_fails_has_failed(bench: Bench) -> None:
    old, new = bench.make("old", {"/usr/share/old": "old"}), bench.make("new", NEW, Depends="old")
    bench.dpkg("--unpack", old, new)
    bench.dpkg("--configure", "old", "new")
    assert bench.lab.run(HOST, [f"{HOME}/dpkg", "--remove", "old"], check=False).returncode == 1
    assert bench.text("/usr/share/old") == "old"
    bench.dpkg("--purge", "new", "old")
    assert bench.text("/usr/share/old") == bench.text("/usr/lib/moved/lib.so") == ""
    assert bench.lab.run(HOST, [f"{HOME}/dpkg", "--print-architecture"]).stdout == b"amd64\n"
