"""What makes a host this host of this lab: its name, keys and neighbours, as a layer above its base."""

import hashlib
import os
import subprocess
from collections.abc import Iterable, Sequence
from pathlib import Path

from nornir_upgrade.core.errors import InvalidInput

from .host import CONTROLLER, SSH_PORT, LabHost

_OPS = 1000  # the user `ops` of data/base.sh


def make_key(path: Path, comment: str) -> None:
    """Afterwards `path` is an ed25519 private key, mode 0600, with `path`.pub beside it; one that is whole is kept."""
    if not path.with_name(f"{path.name}.pub").exists():  # written last
        path.unlink(missing_ok=True)
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", comment, "-f", str(path)], check=True)


def host_key(directory: Path) -> Path:
    """The private key of the sshd of the host whose directory this is."""
    return directory / "ssh_host_ed25519_key"


def write_layer(host: LabHost, directory: Path, fleet: Sequence[LabHost], lab_key: Path, known: str) -> None:
    """Afterwards `directory`/identity is the host's identity layer. The host must be down: overlayfs wants lower layers still.

    `known` is the text of /etc/ssh/ssh_known_hosts. Directories carry the mode and owner the host is to see.
    """
    root = directory / "identity"
    for path, owner, mode in (
        ("", 0, 0o755),
        ("etc", 0, 0o755),
        ("etc/ssh", 0, 0o755),
        ("root", 0, 0o700),
        ("root/.ssh", 0, 0o700),
        ("home", 0, 0o755),
        ("home/ops", _OPS, 0o755),
        ("home/ops/.ssh", _OPS, 0o700),
    ):
        _directory(root / path, owner, mode)
    key = host_key(directory)
    public = key.with_name(f"{key.name}.pub")
    authorized = lab_key.with_name(f"{lab_key.name}.pub").read_text()
    for name, text, owner, mode in (
        ("etc/hostname", f"{host.name}\n", 0, 0o644),
        ("etc/machine-id", machine_id(host), 0, 0o444),
        ("etc/hosts", hosts_file(fleet), 0, 0o644),
        ("etc/ssh/ssh_known_hosts", known, 0, 0o644),
        ("etc/ssh/ssh_host_ed25519_key", key.read_text(), 0, 0o600),
        ("etc/ssh/ssh_host_ed25519_key.pub", public.read_text(), 0, 0o644),
        ("root/.ssh/authorized_keys", authorized, 0, 0o600),
        ("home/ops/.ssh/authorized_keys", authorized, _OPS, 0o600),
    ):
        _file(root / name, text, owner, mode)


def machine_id(host: LabHost) -> str:
    """machine-id(5), the same each time, so that a host that was reset is the same host."""
    return hashlib.sha256(f"lab host {host.name}".encode()).hexdigest()[:32] + "\n"


def hosts_file(fleet: Iterable[LabHost]) -> str:
    """/etc/hosts: every host of the fleet, and `lab` for the address that serves the repositories."""
    lines = ["127.0.0.1 localhost", "::1 localhost ip6-localhost ip6-loopback", f"{CONTROLLER} lab"]
    return "\n".join([*lines, *(f"{host.address} {host.name}" for host in fleet)]) + "\n"


def known_hosts(fleet: Iterable[LabHost], prefix: str, hosts: Path) -> str:
    """Known hosts for this machine and for the lab: each key under its loopback address, lab address and name."""
    return "".join(
        f"[{prefix}.{host.number}]:{SSH_PORT},{host.address},{host.name} {_public_key(hosts / host.name)}\n"
        for host in fleet
    )


def ssh_config(fleet: Iterable[LabHost], prefix: str, directory: Path) -> str:
    """ssh_config(5) under which `ssh NAME` and `ssh LOOPBACK-ADDRESS` reach the hosts as whom the lab logs in as, host keys checked."""
    blocks = (
        f"Host {host.name} {prefix}.{host.number}\n  HostName {prefix}.{host.number}\n  Port {SSH_PORT}\n  User {host.login}\n"
        for host in fleet
    )
    return "".join(blocks) + (
        "Host *\n"
        f'  IdentityFile "{directory / "id_lab"}"\n'
        "  IdentitiesOnly yes\n"
        "  IdentityAgent none\n"
        f'  UserKnownHostsFile "{directory / "known_hosts"}"\n'
        "  GlobalKnownHostsFile /dev/null\n"
        "  StrictHostKeyChecking yes\n"
        "  UpdateHostKeys no\n"
        "  BatchMode yes\n"
        "  ConnectTimeout 10\n"
        "  ServerAliveInterval 5\n"
        "  ServerAliveCountMax 6\n"
        "  KexAlgorithms curve25519-sha256\n"  # the post-quantum exchange costs 60 ms a login
    )


def check_path(directory: Path) -> None:
    """Raises InvalidInput for a directory whose name ssh_config(5) could not quote."""
    if odd := sorted(set('"\\%$\n') & set(str(directory))):
        raise InvalidInput(f"the lab directory {directory} holds {' '.join(map(repr, odd))}", hint="choose another one")


def _public_key(directory: Path) -> str:
    kind, key = host_key(directory).with_suffix(".pub").read_text().split()[:2]
    return f"{kind} {key}"


def _directory(path: Path, owner: int, mode: int) -> None:
    path.mkdir(mode=0o700, exist_ok=True)
    _own(path, owner, mode)


def _file(path: Path, text: str, owner: int, mode: int) -> None:
    path.unlink(missing_ok=True)
    path.touch(mode=0o600)
    path.write_text(text)
    _own(path, owner, mode)


def _own(path: Path, owner: int, mode: int) -> None:
    os.chown(path, owner, owner)
    path.chmod(mode)
