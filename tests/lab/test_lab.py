"""The lab itself: up is idempotent, hosts are real, down leaves nothing, whatever happened before."""

import os
import shutil
import signal
import subprocess
import sys
import time
import uuid
from pathlib import Path

import pytest

from nornir_upgrade.core.errors import CommandFailed, InvalidInput, UnknownName
from nornir_upgrade.lab.errors import LabError
from nornir_upgrade.lab.host import LabHost
from nornir_upgrade.lab.lab import Lab
from tests.conftest import NODES, OWN, PREFIX

pytestmark = pytest.mark.lab


def boot_id(lab: Lab, name: str) -> bytes:
    return lab.run(name, ["cat", "/proc/sys/kernel/random/boot_id"]).stdout


def prepared(lab: Lab, name: str) -> dict[Path, tuple[int, int]]:
    """What a host that is down is given before it boots: by path, which file it is and when it last changed."""
    place = lab.directory / "hosts" / name
    files = [path for part in ("lower", "identity") for path in (place / part).rglob("*")]
    assert len(files) > 3
    return {path: (path.lstat().st_ino, path.lstat().st_ctime_ns) for path in files}


def ssh(lab: Lab, destination: str, *command: str, options: tuple[str, ...] = ()) -> subprocess.CompletedProcess[bytes]:
    argv = ["ssh", "-F", str(lab.ssh_config), *options, destination, "--", *command]
    return subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, check=False, timeout=60)


# --- hosts are real


def test_up_twice_is_the_same(nodes: Lab) -> None:
    before = nodes.status(), boot_id(nodes, "h1"), nodes.known_hosts.read_text(), prepared(nodes, "h1")
    nodes.up(NODES)
    assert (nodes.status(), boot_id(nodes, "h1"), nodes.known_hosts.read_text(), prepared(nodes, "h1")) == before


def test_every_host_boots_without_a_failed_unit(nodes: Lab) -> None:
    for name in ("h1", "h2"):
        assert nodes.run(name, ["systemctl", "is-system-running"], check=False).stdout == b"running\n"


def test_of_systemds_generators_only_that_for_init_scripts_is_started(nodes: Lab) -> None:
    there, masked = (
        set(nodes.run("h1", ["ls", f"{place}/systemd/system-generators"]).stdout.decode().split())
        for place in ("/usr/lib", "/run")
    )
    assert there - masked == {"systemd-sysv-generator"} and masked < there


def test_ssh_by_loopback_address_with_strict_host_keys(nodes: Lab) -> None:
    for user in ("root", "ops"):
        assert ssh(nodes, f"{user}@{PREFIX}.102", "hostname; whoami").stdout.split() == [b"h2", user.encode()]


def test_a_wrong_host_key_is_refused(nodes: Lab, tmp_path: Path) -> None:
    lines = nodes.known_hosts.read_text().splitlines()
    first, second = (line for line in lines if line.split()[0].endswith((",h1", ",h2")))
    swapped = tmp_path / "known_hosts"
    swapped.write_text(f"{first.split()[0]} {second.split(maxsplit=1)[1]}\n")
    done = ssh(nodes, "h1", "true", options=("-o", f"UserKnownHostsFile={swapped}"))
    assert done.returncode == 255 and b"REMOTE HOST IDENTIFICATION HAS CHANGED" in done.stderr


def test_ops_becomes_root_without_a_password(nodes: Lab) -> None:
    assert ssh(nodes, "ops@h1", "sudo -n id -u").stdout == b"0\n"


def test_a_jump_host_reaches_the_others_by_lab_address(nodes: Lab) -> None:
    assert ssh(nodes, f"root@{NODES[1].address}", "hostname", options=("-J", "h1")).stdout == b"h2\n"


def test_hosts_know_each_other_by_name_and_key(nodes: Lab) -> None:
    done = nodes.run("h1", ["ssh", "-o", "StrictHostKeyChecking=yes", "-o", "BatchMode=yes", "h2", "true"], check=False)
    assert b"Permission denied (publickey)" in done.stderr, "it got past the host key, and has no key of its own"


def test_a_host_that_joins_later_is_known_to_those_that_run(nodes: Lab) -> None:
    before = boot_id(nodes, "h1")
    nodes.up([LabHost("later", 150)])
    assert nodes.run("h1", ["getent", "hosts", "later"]).stdout.split() == [b"10.99.0.150", b"later"]
    assert boot_id(nodes, "h1") == before


def test_hosts_fetch_what_lies_in_repositories(nodes: Lab) -> None:
    (nodes.repositories / "greeting").write_text("hello\n")
    assert nodes.run("h1", ["curl", "-fsS", "http://10.99.0.1:8000/greeting"]).stdout == b"hello\n"


def test_nothing_of_the_lab_can_be_read_by_other_users(nodes: Lab) -> None:
    assert nodes.directory.stat().st_mode & 0o077 == 0
    for path in (nodes.key, nodes.directory / "control"):
        assert path.stat().st_mode & 0o777 == 0o600


def test_run_hands_over_arguments_and_input_as_they_are(nodes: Lab) -> None:
    odd = 'it\'s "$HOME" * \n;x'
    assert nodes.run("h1", ["printf", "%s", odd]).stdout == odd.encode()
    assert nodes.run("h1", ["cat"], b"\0\xff").stdout == b"\0\xff"
    with pytest.raises(CommandFailed, match="status 3"):
        nodes.run("h1", ["sh", "-c", "exit 3"])
    with pytest.raises(UnknownName, match="nobody"):
        nodes.run("nobody", ["true"])


# --- power, network, golden state


def test_reset_takes_back_what_was_written_and_what_was_removed(nodes: Lab) -> None:
    nodes.run("h1", ["sh", "-c", "touch /root/dirt && rm -r /usr/bin/jq /etc/sudoers.d"])
    nodes.reset("h1")
    nodes.run("h1", ["sh", "-c", "test ! -e /root/dirt && test -x /usr/bin/jq && test -e /etc/sudoers.d/ops"])


def test_a_host_comes_back_from_a_power_failure_with_its_files(nodes: Lab) -> None:
    before = boot_id(nodes, "h1")
    nodes.run("h1", ["touch", "/root/kept"])
    nodes.kill("h1")
    assert {host.name: host.state for host in nodes.status()}["h1"] == "stopped"
    nodes.start("h1")
    nodes.run("h1", ["test", "-e", "/root/kept"])
    assert boot_id(nodes, "h1") != before


def test_a_host_reboots_by_itself(nodes: Lab) -> None:
    before = boot_id(nodes, "h2")
    nodes.run("h2", ["systemctl", "reboot"], check=False)
    deadline = time.monotonic() + 30
    while (done := nodes.run("h2", ["cat", "/proc/sys/kernel/random/boot_id"], check=False)).stdout in (before, b""):
        assert time.monotonic() < deadline, done
        time.sleep(0.1)


def test_a_host_without_link_does_not_answer_but_lives(nodes: Lab) -> None:
    before = boot_id(nodes, "h1")
    nodes.link("h1", False)
    assert [host.name for host in nodes.status() if not host.linked] == ["h1"]
    done = ssh(nodes, "h1", "true", options=("-o", "ConnectTimeout=2"))
    assert done.returncode == 255 and b"timed out" in done.stderr
    assert nodes.run("h2", ["curl", "-sS", "-m", "1", "http://10.99.0.101:22"], check=False).returncode == 28
    nodes.link("h1", True)
    assert boot_id(nodes, "h1") == before


def test_a_frozen_host_resets_to_that_state_and_another_lab_starts_from_it(nodes: Lab, lab_directory: Path) -> None:
    key = f"test-{uuid.uuid4().hex}"
    other = Lab(lab_directory, prefix=OWN)
    try:
        nodes.up([LabHost("frozen", 151)])
        nodes.run("frozen", ["sh", "-c", "echo golden > /etc/motd; rm /usr/bin/jq; mkdir /srv/new"])
        nodes.freeze(key, ["frozen"])
        nodes.run("frozen", ["sh", "-c", "rm -r /etc/motd /srv/new; echo dirt > /usr/bin/jq"])
        nodes.reset("frozen")
        golden = ["sh", "-c", "cat /etc/motd && test ! -e /usr/bin/jq && test -d /srv/new && hostname"]
        assert nodes.run("frozen", golden).stdout == b"golden\nfrozen\n"
        assert other.frozen(key, [LabHost("frozen", 151)])
        assert not other.frozen(key, [LabHost("frozen", 151, "db")]), "it stood on another base"
        other.up([LabHost("frozen", 151)], golden=key)
        assert other.run("frozen", golden).stdout == b"golden\nfrozen\n"
        assert [host.golden for host in other.status()] == [key]
    finally:
        shutil.rmtree(nodes.cache / "golden" / key, ignore_errors=True)


# --- nothing is left


def leftovers(directory: Path, cgroup: Path | None) -> list[str]:
    """What the machine still knows of a lab: processes by arguments, mounts or cgroup, that cgroup, its directory."""
    marks = {"cmdline": str(directory), "mountinfo": str(directory)} | ({"cgroup": cgroup.name} if cgroup else {})
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        for name, mark in marks.items():
            try:
                if mark.encode() in (process / name).read_bytes():
                    found.append(f"{process}/{name}")
            except OSError:
                continue  # ended meanwhile
    return found + [str(path) for path in (directory, cgroup) if path is not None and path.exists()]


def cgroup_of(directory: Path) -> Path | None:
    record = directory / "cgroup"
    return Path(record.read_text()) if record.exists() else None


def begin_up(directory: Path) -> subprocess.Popen[bytes]:
    """`up` of two hosts in a process of its own, so that it can be killed."""
    program = (
        "import sys; from pathlib import Path\n"
        "from nornir_upgrade.lab.host import LabHost; from nornir_upgrade.lab.lab import Lab\n"
        f"Lab(Path(sys.argv[1]), prefix={OWN!r}).up([LabHost('h1', 101), LabHost('h2', 102)])"
    )
    return subprocess.Popen([sys.executable, "-c", program, str(directory)], stderr=subprocess.PIPE)


def wait_for(path: Path) -> None:
    deadline = time.monotonic() + 60
    while not (path.exists() and (path.is_socket() or path.name == "console.log" or path.read_text())):
        assert time.monotonic() < deadline, f"{path} never came"
        time.sleep(0.001)


def test_down_leaves_nothing_and_twice_is_once(lab_directory: Path) -> None:
    lab = Lab(lab_directory, prefix=OWN)
    lab.up(NODES)
    cgroup = cgroup_of(lab_directory)
    assert len(leftovers(lab_directory, cgroup)) > 10, "what is looked for can be seen while the lab is up"
    lab.down()
    assert leftovers(lab_directory, cgroup) == []
    assert lab.status() == ()
    lab.down()


@pytest.mark.parametrize("moment", ["pid", "control", "hosts/h1/console.log", "hosts/h2/console.log"])
def test_down_after_the_supervisor_was_killed_during_up(lab_directory: Path, moment: str) -> None:
    process = begin_up(lab_directory)
    wait_for(lab_directory / moment)
    os.kill(int((lab_directory / "pid").read_text().split()[0]), signal.SIGKILL)
    _, error = process.communicate(timeout=90)
    assert process.returncode != 0 and b"LabError" in error
    cgroup = cgroup_of(lab_directory)
    Lab(lab_directory, prefix=OWN).down()
    assert leftovers(lab_directory, cgroup) == []


@pytest.mark.parametrize(
    "moment", ["lock", "lab.json", "pid", "control", "hosts/h1/console.log", "hosts/h2/console.log"]
)
def test_up_finishes_what_a_killed_up_began_and_down_takes_it_away(lab_directory: Path, moment: str) -> None:
    process = begin_up(lab_directory)
    wait_for(lab_directory / moment) if moment != "lock" else time.sleep(0.2)
    process.kill()
    process.communicate()
    lab = Lab(lab_directory, prefix=OWN)
    lab.up(NODES)
    assert [(host.name, host.state) for host in lab.status()] == [("h1", "running"), ("h2", "running")]
    lab.run("h2", ["true"])
    cgroup = cgroup_of(lab_directory)
    lab.down()
    assert leftovers(lab_directory, cgroup) == []


def test_a_lab_whose_directory_was_deleted_by_hand_ends(lab_directory: Path) -> None:
    Lab(lab_directory, prefix=OWN).up(NODES)
    cgroup = cgroup_of(lab_directory)
    shutil.rmtree(lab_directory)
    deadline = time.monotonic() + 20
    while left := [name for name in leftovers(lab_directory, cgroup) if name.startswith("/proc/")]:
        assert time.monotonic() < deadline, left
        time.sleep(0.1)
    assert cgroup is not None
    for path in (*sorted((path for path in cgroup.rglob("*") if path.is_dir()), reverse=True), cgroup):
        path.rmdir()  # fails unless all are empty


def test_down_refuses_a_directory_that_is_no_lab(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("all of it")
    with pytest.raises(InvalidInput, match="nor a lab"):
        Lab(tmp_path).down()
    assert (tmp_path / "thesis.tex").exists()


@pytest.mark.usefixtures("nodes")
def test_a_second_lab_on_the_same_addresses_is_refused(lab_directory: Path) -> None:
    with pytest.raises(LabError, match=f"{PREFIX}.101:10022 cannot be used"):
        Lab(lab_directory, prefix=PREFIX).up(NODES)


def test_missing_tools_are_named_with_their_packages(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(LabError, match="apt-utils, gnupg, iproute2, mmdebstrap, openssh-client") as caught:
        Lab(tmp_path / "lab").up(NODES)
    assert caught.value.hint.startswith("apt-get install")
    assert not (tmp_path / "lab").exists()
