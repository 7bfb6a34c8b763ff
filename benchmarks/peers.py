"""The peers: from the Python index into an environment of their own, with an inventory of the same hosts."""

import subprocess
import sys
import venv
from collections.abc import Sequence
from pathlib import Path

from benchmarks.hosts import Target

PINNED = ("ansible-core==2.19.14", "pyinfra==3.10.0")


def environment(directory: Path) -> Path:
    """Afterwards the peers are installed in `directory`; returns its folder of programs."""
    programs = directory / "bin"
    if not (programs / "pyinfra").exists():
        print("== installing the peers into an environment of their own", file=sys.stderr)
        venv.create(directory, with_pip=True)
        pip = [str(programs / "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        subprocess.run([*pip, *PINNED], check=True)
    return programs


def ansible(
    programs: Path, directory: Path, targets: Sequence[Target], key: Path, known: Path, *, tuned: bool = False
) -> list[str]:
    """The command that gathers package facts with Ansible, as it comes; `tuned`: as many forks as hosts, and pipelining."""
    ssh = f"-o UserKnownHostsFile={known} -o StrictHostKeyChecking=yes -o ControlMaster=auto -o ControlPersist=60s"
    (directory / "ansible.cfg").write_text(
        f"[defaults]\nprivate_key_file = {key}\nremote_user = root\ninterpreter_python = /usr/bin/python3\n"
        + (f"forks = {len(targets)}\n" if tuned else "")
        + f"[ssh_connection]\nssh_args = {ssh}\ncontrol_path_dir = {directory}/cp\n"
        + ("pipelining = True\n" if tuned else "")
    )
    lines = [f"{t.name} ansible_host={t.address} ansible_port={t.port}\n" for t in targets]
    (directory / "ansible-hosts").write_text("".join(lines))
    return [str(programs / "ansible"), "all", "-i", "ansible-hosts", "-m", "package_facts", "-a", "manager=apt"]


def pyinfra(programs: Path, directory: Path, targets: Sequence[Target], key: Path, known: Path) -> list[str]:
    """The command that gathers `DebPackages` with pyinfra."""
    options = {"ssh_user": "root", "ssh_key": str(key), "ssh_known_hosts_file": str(known)}
    rows = [(t.name, {**options, "ssh_hostname": t.address, "ssh_port": t.port}) for t in targets]
    (directory / "inventory.py").write_text(f"hosts = {rows!r}\n")
    return [str(programs / "pyinfra"), "inventory.py", "--parallel", str(len(targets)), "fact", "deb.DebPackages"]
