"""Disks: a full one is called so, whoever says it; a private directory is made where there is room, and none is left behind."""

import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

from nornir_upgrade.core.errors import CommandFailed, DiskFull
from nornir_upgrade.core.packaging.deb import transaction
from nornir_upgrade.core.packaging.dnf import failure as dnf_failure
from nornir_upgrade.core.transport import disk
from nornir_upgrade.core.transport.host import Result, checked

FULL = (
    "E: Write error - write (28: No space left on device)",
    "E: You don't have enough free space in /var/cache/apt/archives/.",
    "tar: ./usr/bin/x: Cannot write: Disk quota exceeded",
    "  At least 45MB more space needed on the /usr filesystem.",
    "installing package x-1-1.noarch needs 12MB more space on the / filesystem",
    "mariadb-dump: Error: errno 28 on write",
)


@pytest.mark.parametrize("line", FULL)
def test_a_full_disk_is_called_one_whoever_says_it(line: str) -> None:
    result = Result(1, f"something\n{line}\nE: Unable to locate package x\n".encode(), b"")
    for failure in (transaction.failure("web1", result), dnf_failure.failure("web1", result)):
        assert isinstance(failure, DiskFull) and failure.message == f"web1: {line.strip()}" and failure.hint
    with pytest.raises(DiskFull):
        checked("web1", ("sh", "-c"), result)
    assert checked("web1", ("sh", "-c"), Result(0, result.stdout, b"")).status == 0


def test_what_fails_otherwise_is_no_full_disk() -> None:
    result = Result(1, b"28: no such thing\n", b"")
    assert isinstance(transaction.failure("web1", result), CommandFailed)
    with pytest.raises(CommandFailed):
        checked("web1", ("sh", "-c"), result)


DF = """\
#!/bin/sh
echo head
for path; do :; done
case " $ROOMY " in *" $path "*) free=999999999 ;; *) free=1000 ;; esac
echo "none 1 1 $free 1% /"
"""


def home(directory: Path, roomy: str, then: str) -> "subprocess.Popen[str]":
    df = directory / "df"
    df.write_text(DF)
    df.chmod(0o755)
    path = {"PATH": f"{directory}:{os.environ['PATH']}", "ROOMY": roomy}
    script = f"{disk.HOME}home 100000\n{then}"
    return subprocess.Popen(
        ("sh", "-c", script), env=path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, restore_signals=True
    )


@pytest.mark.parametrize(("roomy", "there"), [("/var/tmp /tmp", "/var/tmp"), ("/tmp", "/tmp")])
def test_a_private_directory_is_where_there_is_room(tmp_path: Path, roomy: str, there: str) -> None:
    made = home(tmp_path, roomy, 'echo "$root"; [ -d "$root" ]').communicate()[0].strip()
    assert Path(made).parent == Path(there) and not Path(made).exists()


def test_without_room_nothing_is_made_and_the_disk_is_named(tmp_path: Path) -> None:
    process = home(tmp_path, "", "echo went on")
    out, errors = process.communicate()
    assert (process.returncode, out) == (1, "") and disk.full(errors).startswith("No space left on device: 100000 KiB")


@pytest.mark.parametrize("ending", [signal.SIGTERM, signal.SIGHUP, None])
def test_nothing_is_left_of_it_when_the_connection_goes(tmp_path: Path, ending: signal.Signals | None) -> None:
    process = home(tmp_path, "/var/tmp", 'echo "$root"; while :; do sleep 0.1; echo more; done')
    assert process.stdout
    made = Path(process.stdout.readline().strip())
    assert made.is_dir()
    if ending:
        process.send_signal(ending)
    else:
        process.stdout.close()
    process.wait(60)
    time.sleep(0.1)
    assert not made.exists()
