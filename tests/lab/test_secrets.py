"""Nobody but root on the hosts, and who may read the store, learns the databases' password: not by any output, not from ps."""

import os
import stat
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.lab.site import FAULTS, Site

pytestmark = pytest.mark.lab


# Whatever dpkg did, apt then prints the line of a configuration file that holds the password: among the last that a failure tells.
_TALKATIVE = b'DPkg::Post-Invoke { "grep ^connection /etc/nova/nova.conf"; };\n'


@contextmanager
def watched_processes() -> Iterator[set[bytes]]:
    """Every argument vector that a process of this machine has meanwhile, those of the lab's hosts among them."""
    seen: set[bytes] = set()
    over = threading.Event()

    def watch() -> None:
        while not over.wait(0.05):
            for entry in os.scandir("/proc"):
                if entry.name.isdigit():
                    try:
                        seen.add(Path(entry.path, "cmdline").read_bytes())
                    except OSError:
                        continue  # it ended meanwhile

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        yield seen
    finally:
        over.set()
        watcher.join()


def password_of(site: Site) -> bytes:
    """The databases' password, as the services' configuration has it."""
    text = site.text("ctl1", "grep", "^connection", "/etc/nova/nova.conf")
    password = text.partition("@")[0].rpartition(":")[2]
    assert len(password) > 16
    return password.encode()


def test_the_databases_password_is_nowhere_but_in_private_objects(site: Site) -> None:
    password = password_of(site)
    site.lab.run("cmp1", ["tee", "/etc/apt/apt.conf.d/99talkative"], _TALKATIVE)
    site.lab.run("cmp1", ["mkdir", "-p", FAULTS])
    site.lab.run("cmp1", ["tee", f"{FAULTS}/fail-nova-compute"], b"icehouse")
    old_umask = os.umask(0)
    try:
        with watched_processes() as seen:
            failed = site.forward("-vv", "--diff", status=3)
            site.mend("cmp1")
            site.upgrade("resume", "--yes", "-vv")
            site.upgrade("status", "last", "-o", "json")
            site.upgrade("report", "last", "--out", "forward.html")
            site.rollback("compute", "-o", "json")
            site.rollback("apply", "--restore-db", "--yes", "-vv")
            site.upgrade("report", "last", "--out", "back.html")
            site.rollback("diff", "last")
    finally:
        os.umask(old_umask)

    assert "connection = mysql://nova:***@" in failed.out, "the password was not there to be masked"
    assert any(b"mariadb-dump" in argv for argv in seen) and any(b"apt-get" in argv for argv in seen)
    assert not [argv for argv in seen if password in argv]
    assert not [done.argv for done in site.typed if password.decode() in done.said]
    holding = {path for path in site.directory.rglob("*") if path.is_file() and password in path.read_bytes()}
    assert holding, "the captured configuration holds it: else this proves nothing"
    assert [path for path in holding if not path.is_relative_to(site.state / "store")] == []
    assert_private(site.state)


def assert_private(state: Path) -> None:
    """Directories are 0700, files 0600 or less, although the umask would have let everybody in."""
    paths = [state, *state.rglob("*")]
    open_ones = {str(path): stat.filemode(path.stat().st_mode) for path in paths if path.stat().st_mode & 0o077}
    assert open_ones == {}
    assert len(paths) > 20
