"""Gathering facts from 30 hosts: this program beside Ansible's package_facts and pyinfra's DebPackages."""

import os
import re
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from nornir_upgrade.lab.fleet import extra_hosts
from nornir_upgrade.lab.lab import Lab

from . import measure, peers

HOSTS = 30
ROUNDS = 5
FLOORS = {"Ansible package_facts": 8.0, "pyinfra DebPackages": 1.0}
"""How many times as long the others are to take, at least."""
_SETTLE = 1.0  # seconds in which hosts end the sessions of one tool, which the next would pay for
CONFIG = """\
inventory:
  plugin: SimpleInventory
  options: {host_file: hosts.yaml, group_file: groups.yaml, defaults_file: defaults.yaml}
runner: {plugin: threaded, options: {num_workers: %d}}
logging: {enabled: false}
user_defined: {state: state}
"""
GROUP = """\
lab:
  username: root
  port: %d
  connection_options:
    netmiko:
      platform: linux
      extras: {use_keys: true, key_file: %s, alt_host_keys: true, alt_key_file: %s, ssh_strict: true}
"""


@dataclass(frozen=True, slots=True)
class Tool:
    """A command, where it runs, and what it prints of dpkg, a package that every host has."""

    argv: list[str]
    folder: Path
    of_dpkg: str


# As a user has it. What tells Python not to keep what it compiled would have this program, which is run from its sources, compiled
# anew each round, and not its peers, which pip compiled when it installed them.
ENVIRONMENT = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}


def run(directory: Path, cache: Path) -> Mapping[str, measure.Sample]:
    """Bring up the hosts, measure every tool in turn, round by round; medians by tool."""
    lab = Lab(directory / "lab", prefix="127.99.8", progress=lambda line: print(line, file=sys.stderr))
    try:
        lab.up([replace(host, base="bench") for host in extra_hosts(HOSTS)])
        targets = [peers.Target(s.name, s.address, s.port) for s in lab.status()]
        tools = _tools(directory, cache, lab, targets)
        samples: dict[str, list[measure.Sample]] = {name: [] for name in tools}
        for number in range(ROUNDS + 1):  # the first round warms the hosts and does not count
            for name, tool in tools.items():
                sample, printed = measure.once(tool.argv, directory=tool.folder, environment=ENVIRONMENT)
                _check(name, tool, printed, targets)
                print(
                    f"   round {number}: {name}: {sample.wall:.2f} s, {sample.cpu:.2f} s of processor", file=sys.stderr
                )
                if number:
                    samples[name].append(sample)
                _forget_connections(tool.folder)
                time.sleep(_SETTLE)
        return {name: measure.median(taken) for name, taken in samples.items()}
    finally:
        lab.down()


def _check(name: str, tool: Tool, printed: str, targets: Sequence[peers.Target]) -> None:
    """Raises `measure.Failed` where the tool did not print the packages of every host."""
    missing = [target.name for target in targets if not re.search(rf"\b{target.name}\b", printed)]
    if missing or printed.count(tool.of_dpkg) != len(targets):
        raise measure.Failed(
            f"{name} printed packages of {printed.count(tool.of_dpkg)} hosts, and nothing of {missing}"
        )


def _tools(directory: Path, cache: Path, lab: Lab, targets: Sequence[peers.Target]) -> Mapping[str, Tool]:
    programs = peers.environment(cache / "peers")
    folders = {name: directory / name for name in ("ours", "pyinfra", "ansible", "tuned")}
    for folder in folders.values():
        folder.mkdir(parents=True)
    _inventory(folders["ours"], lab, targets)
    peer = {name: (programs, folder, targets, lab.key, lab.known_hosts) for name, folder in folders.items()}
    ours = [sys.executable, "-m", "benchmarks.ours", str(folders["ours"] / "config.yaml")]
    return {
        "nornir-upgrade": Tool(ours, Path.cwd(), '"name":"dpkg"'),
        "pyinfra DebPackages": Tool(peers.pyinfra(*peer["pyinfra"]), folders["pyinfra"], '"dpkg": ['),
        "Ansible package_facts": Tool(peers.ansible(*peer["ansible"]), folders["ansible"], '"dpkg": ['),
        "Ansible, as many forks as hosts, pipelining": Tool(
            peers.ansible(*peer["tuned"], tuned=True), folders["tuned"], '"dpkg": ['
        ),
    }


def _inventory(folder: Path, lab: Lab, targets: Sequence[peers.Target]) -> None:
    (folder / "config.yaml").write_text(CONFIG % len(targets))
    (folder / "groups.yaml").write_text(GROUP % (targets[0].port, lab.key, lab.known_hosts))
    (folder / "defaults.yaml").write_text("{}\n")
    (folder / "hosts.yaml").write_text(
        "".join(f"{t.name}: {{hostname: {t.address}, groups: [lab]}}\n" for t in targets)
    )


def _forget_connections(folder: Path) -> None:
    """Every round logs in anew: Ansible's control sockets of the round before are closed."""
    for socket in (folder / "cp").glob("*"):
        os.spawnlp(os.P_WAIT, "ssh", "ssh", "-q", "-O", "exit", "-o", f"ControlPath={socket}", "none")
