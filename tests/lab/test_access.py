"""The ways in that nornir-netmiko's users know, by configuration alone: each ends with a snapshot of the host."""

import os
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.lab.site import ONE, SCENARIO, Site

pytestmark = pytest.mark.lab

SECRET = "tr0ub4dor;&3 $(id)"


def assert_snapshot(site: Site, environment: Mapping[str, str] | None = None) -> None:
    """A snapshot of cmp1 is there, with what only root can see."""
    document = site.rollback("snapshot", *ONE, "-o", "json", environment=environment).document
    assert document["hosts"] == ["cmp1"]
    (kept,) = site.rollback("snapshots", "-o", "json").document["snapshots"]
    assert kept["snapshot"] == document["snapshot"]


def by_key(site: Site, username: str, **more: Any) -> dict[str, Any]:
    extras = {"use_keys": True, "key_file": str(site.lab.key), **site.known_hosts(site.lab.known_hosts), **more}
    return {"username": username, "extras": extras}


def by_password(site: Site, **more: Any) -> dict[str, Any]:
    extras = {"use_keys": False, "allow_agent": False, **site.known_hosts(site.lab.known_hosts), **more}
    return {"extras": extras}


def set_password(site: Site) -> None:
    """Afterwards `ops` has a password, and cmp1 lets in who knows one."""
    site.lab.run("cmp1", ["tee", "/etc/ssh/sshd_config.d/00-passwords.conf"], b"PasswordAuthentication yes\n")
    site.lab.run("cmp1", ["systemctl", "reload", "ssh"])
    site.lab.run("cmp1", ["chpasswd"], f"ops:{SECRET}\n".encode())


def test_a_user_becomes_root_through_sudo_and_goes_forward_and_back(small: Site) -> None:
    small.configure(connection=by_key(small, "ops"))
    assert_snapshot(small)
    small.forward(*ONE)
    assert '"release": "icehouse"' in small.text("cmp1", "curl", "-s", "http://localhost:18003/")
    small.rollback("apply", *ONE, "--yes")
    small.rollback("diff", "last", *ONE, "--detailed-exitcode")


def test_sudo_with_a_password(small: Site) -> None:
    set_password(small)
    small.lab.run("cmp1", ["tee", "/etc/sudoers.d/ops"], b"ops ALL=(ALL:ALL) ALL\n")
    small.configure(connection=by_key(small, "ops"))
    refused = small.rollback("snapshot", *ONE, status=30)
    assert "ops cannot become root" in refused.err and "secret" in refused.err
    small.configure(connection=by_key(small, "ops", secret="wrong"))
    assert "ops cannot become root" in small.rollback("snapshot", *ONE, status=30).err
    small.configure(connection=by_key(small, "ops", secret=SECRET))
    assert_snapshot(small)
    assert not [done.argv for done in small.typed if SECRET in done.said]


def test_credentials_by_nornir_utils_from_the_environment(small: Site) -> None:
    set_password(small)
    small.configure(connection=by_password(small), transform="load_credentials")
    assert_snapshot(small, {"NORNIR_USERNAME": "ops", "NORNIR_PASSWORD": SECRET})
    wrong = {"NORNIR_USERNAME": "ops", "NORNIR_PASSWORD": f"{SECRET}-wrong"}
    refused = small.rollback("snapshot", *ONE, status=30, environment=wrong)
    assert "does not let ops in" in refused.err and SECRET not in refused.said


def test_through_a_jump_host(small: Site) -> None:
    """cmp1 by its address in the lab, which this machine has no way to: ctl1 has."""
    (jump,) = (one for one in small.lab.status() if one.name == "ctl1")
    config = small.directory / "ssh_config"
    config.write_text(
        f"Host 10.99.0.13\n  ProxyJump root@{jump.address}:{jump.port}\n\n"
        f"Host {jump.address}\n  IdentityFile {small.lab.key}\n  IdentitiesOnly yes\n"
        f"  UserKnownHostsFile {small.lab.known_hosts}\n  StrictHostKeyChecking yes\n"
    )
    inside = {"cmp1": {"hostname": "10.99.0.13", "port": 22}}
    direct = by_key(small, "root")
    small.configure(connection=direct, hosts=inside)
    small.rollback("snapshot", *ONE, status=30)
    small.configure(connection=by_key(small, "root", ssh_config_file="ssh_config"), hosts=inside)
    assert_snapshot(small)
    assert "1 to install" in small.upgrade("plan", SCENARIO, *ONE).out


@pytest.fixture
def agent(small: Site) -> Iterator[Mapping[str, str]]:
    """An ssh-agent that holds the lab's key: what its users have in their environment."""
    socket = small.directory / "agent"
    process = subprocess.Popen(["ssh-agent", "-D", "-a", str(socket)], stdout=subprocess.DEVNULL)
    environment = {"SSH_AUTH_SOCK": str(socket)}
    try:
        small.await_true(socket.exists)
        subprocess.run(["ssh-add", "-q", str(small.lab.key)], env=os.environ | environment, check=True)
        yield environment
    finally:
        process.terminate()
        process.wait()


def test_by_the_agent(small: Site, agent: Mapping[str, str]) -> None:
    extras = {"use_keys": False, "allow_agent": True, **small.known_hosts(small.lab.known_hosts)}
    small.configure(connection={"username": "root", "extras": extras})
    refused = small.rollback("snapshot", *ONE, status=30, environment={"SSH_AUTH_SOCK": str(Path("/nonexistent"))})
    assert "does not let root in" in refused.err
    assert_snapshot(small, agent)
