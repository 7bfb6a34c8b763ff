"""Gathering facts from 30 hosts: this program beside Ansible's package_facts and pyinfra's DebPackages."""

import os
import re
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks import measure, peers
from benchmarks.hosts import Target, hosts, inventory, targets
from nornir_upgrade.lab.lab import Lab

HOSTS = 30
ROUNDS = 8
CLOSE = ("nornir-upgrade", "pyinfra DebPackages")
"""These take about as long, a second: they are measured `OFTEN` times a round, in turn, to tell them apart."""
OFTEN = 4
FLOORS = {"Ansible package_facts": 8.0, "pyinfra DebPackages": 1.0}
"""How many times as long the others are to take, at least."""
_SETTLE = 1.0  # seconds in which hosts end the sessions of one tool, which the next would pay for


@dataclass(frozen=True, slots=True)
class Tool:
    """A command, where it runs, and what it prints of dpkg, a package that every host has; '' where it prints no packages."""

    argv: list[str]
    folder: Path
    of_dpkg: str = ""


# As a user has it. What tells Python not to keep what it compiled would have this program, which is run from its sources, compiled
# anew each round, and not its peers, which pip compiled when it installed them.
ENVIRONMENT = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}


def run(directory: Path, cache: Path) -> Mapping[str, measure.Sample]:
    """Bring up the hosts, measure every tool in turn, round by round; medians by tool."""
    with hosts(directory, HOSTS) as lab:
        chosen = targets(lab)
        tools = _tools(directory, cache, lab, chosen)
        samples: dict[str, list[measure.Sample]] = {name: [] for name in tools}
        for number in range(ROUNDS + 1):  # the first round warms the hosts and does not count
            for name, tool in _turned(tools, number):
                sample, printed = measure.once(tool.argv, directory=tool.folder, environment=ENVIRONMENT)
                _check(name, tool, printed, chosen)
                print(
                    f"   round {number}: {name}: {sample.wall:.2f} s, {sample.cpu:.2f} s of processor", file=sys.stderr
                )
                if number:
                    samples[name].append(sample)
                _forget_connections(tool.folder)
                time.sleep(_SETTLE)
        return {name: measure.median(taken) for name, taken in samples.items()}


def _turned(tools: Mapping[str, Tool], number: int) -> list[tuple[str, Tool]]:
    """Every round begins with another one: what a tool leaves behind in caches then helps, or hinders, each of the others."""
    names = [*CLOSE * OFTEN, *(name for name in tools if name not in CLOSE)]
    begin = number % len(names)
    return [(name, tools[name]) for name in names[begin:] + names[:begin]]


def _check(name: str, tool: Tool, printed: str, chosen: Sequence[Target]) -> None:
    """Raises `measure.Failed` where the tool did not print every host's name, and the packages of each."""
    missing = [target.name for target in chosen if not re.search(rf"\b{target.name}\b", printed)]
    with_packages = printed.count(tool.of_dpkg) if tool.of_dpkg else len(chosen)
    if missing or with_packages != len(chosen):
        raise measure.Failed(f"{name} printed packages of {with_packages} hosts, and nothing of {missing}")


def _tools(directory: Path, cache: Path, lab: Lab, chosen: Sequence[Target]) -> Mapping[str, Tool]:
    programs = peers.environment(cache / "peers")
    folders = {name: directory / name for name in ("ours", "pyinfra", "ansible", "tuned")}
    for folder in folders.values():
        folder.mkdir(parents=True)
    config = inventory(folders["ours"], lab, chosen)
    peer = {name: (programs, folder, chosen, lab.key, lab.known_hosts) for name, folder in folders.items()}
    ours = [sys.executable, "-m", "benchmarks.ours", str(config)]
    snapshot = [str(Path(sys.executable).with_name("rollback")), "snapshot", "--config", str(config)]
    return {
        "nornir-upgrade": Tool(ours, Path.cwd(), '"name":"dpkg"'),
        "rollback snapshot, which keeps them": Tool(snapshot, folders["ours"]),
        "pyinfra DebPackages": Tool(peers.pyinfra(*peer["pyinfra"]), folders["pyinfra"], '"dpkg": ['),
        "Ansible package_facts": Tool(peers.ansible(*peer["ansible"]), folders["ansible"], '"dpkg": ['),
        "Ansible, as many forks as hosts, pipelining": Tool(
            peers.ansible(*peer["tuned"], tuned=True), folders["tuned"], '"dpkg": ['
        ),
    }


def _forget_connections(folder: Path) -> None:
    """Every round logs in anew: Ansible's control sockets of the round before are closed."""
    for socket in (folder / "cp").glob("*"):
        os.spawnlp(os.P_WAIT, "ssh", "ssh", "-q", "-O", "exit", "-o", f"ControlPath={socket}", "none")
