"""Real hosts to measure on: a lab of its own, and an inventory of it as this program's users write one."""

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from nornir_upgrade.lab.deb.fleet import extra_hosts
from nornir_upgrade.lab.lab import Lab

PREFIX = "127.99.8"
_CONFIG = """\
inventory:
  plugin: SimpleInventory
  options: {host_file: hosts.yaml, group_file: groups.yaml, defaults_file: defaults.yaml}
runner: {plugin: threaded, options: {num_workers: %d}}
logging: {enabled: false}
user_defined: {state: state}
"""
_GROUP = """\
lab:
  username: root
  port: %d
  connection_options:
    netmiko:
      platform: linux
      extras: {use_keys: true, key_file: %s, alt_host_keys: true, alt_key_file: %s, ssh_strict: true}
"""


@dataclass(frozen=True, slots=True)
class Target:
    """A host as a tool reaches it."""

    name: str
    address: str
    port: int


@contextmanager
def hosts(directory: Path, count: int) -> Iterator[Lab]:
    """A lab of so many bare hosts below `directory`, until the block ends."""
    lab = Lab(directory / "lab", prefix=PREFIX, progress=lambda line: print(line, file=sys.stderr))
    try:
        lab.up([replace(host, base="bench") for host in extra_hosts(count)])
        yield lab
    finally:
        lab.down()


def targets(lab: Lab) -> list[Target]:
    """Every host of the lab."""
    return [Target(host.name, host.address, host.port) for host in lab.status()]


def inventory(folder: Path, lab: Lab, chosen: Sequence[Target]) -> Path:
    """Afterwards `folder` holds a configuration of these hosts; returns its path."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.yaml").write_text(_CONFIG % len(chosen))
    (folder / "groups.yaml").write_text(_GROUP % (chosen[0].port, lab.key, lab.known_hosts))
    (folder / "defaults.yaml").write_text("{}\n")
    lines = (f"{one.name}: {{hostname: {one.address}, groups: [lab]}}\n" for one in chosen)
    (folder / "hosts.yaml").write_text("".join(lines))
    return folder / "config.yaml"
