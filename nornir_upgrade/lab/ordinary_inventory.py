"""The inventory of the ordinary fleet, and the configuration that names it, in the lab's directory: `ordinary/config.yaml`."""

import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from . import machine
from .host import SSH_PORT, LabHost
from .lab import Lab

_GROUPS = {"web1": "web", "web2": "web", "db1": "database", "lb1": "balancer", "bastion": "jump", "big": "big"}
_DATA = {"big": {"databases": ["wiki"]}}
_BEHIND, _JUMP = "db1", "bastion"


def write(lab: Lab, hosts: Sequence[LabHost], password: str) -> Path:
    """Afterwards the inventory of these hosts is there; state and scenarios that stand beside it stay. Returns config.yaml."""
    directory = lab.directory / "ordinary"
    (directory / "inventory").mkdir(mode=0o700, parents=True, exist_ok=True)
    for name, text in _files(lab, hosts, password).items():
        machine.write(directory / name, text)
    return directory / "config.yaml"


def _files(lab: Lab, hosts: Sequence[LabHost], password: str) -> Mapping[str, str]:
    groups = {"lab": {"port": SSH_PORT, "username": "root", **_connection(_extras(lab))}}
    groups |= {name: {} for name in sorted({_GROUPS[host.name] for host in hosts})}
    return {
        "config.yaml": _CONFIG,
        "inventory/hosts.yaml": _yaml({host.name: _entry(lab, host, password) for host in hosts}),
        "inventory/groups.yaml": _yaml(groups),
        "inventory/defaults.yaml": "{}\n",
        "ssh_config": _jump([host for host in hosts if host.name == _BEHIND]) + lab.ssh_config.read_text(),
    }


_CONFIG = """\
# Made by `nornir-upgrade lab up ordinary`, anew each time. Paths are relative to this file.
inventory:
  plugin: SimpleInventory
  options:
    host_file: inventory/hosts.yaml
    group_file: inventory/groups.yaml
    defaults_file: inventory/defaults.yaml
runner:
  plugin: threaded
  options:
    num_workers: 20
logging:
  enabled: false
user_defined:
  state: state
  scenarios: scenarios
  lab: ..
"""


def _entry(lab: Lab, host: LabHost, password: str) -> dict[str, Any]:
    entry: dict[str, Any] = {"hostname": f"{lab.prefix}.{host.number}", "groups": ["lab", _GROUPS[host.name]]}
    more: dict[str, Any] = {}
    if host.name == _BEHIND:  # an address of the lab, which this machine has no way to
        entry |= {"hostname": host.address, "port": 22}
        more["ssh_config_file"] = str(lab.directory / "ordinary" / "ssh_config")
    if host.login != "root":
        entry["username"] = host.login
        more["secret"] = password
    # What a host says of its connection takes the place of what its group says.
    return (
        entry
        | (_connection(_extras(lab) | more) if more else {})
        | ({"data": _DATA[host.name]} if host.name in _DATA else {})
    )


def _extras(lab: Lab) -> dict[str, Any]:
    return {
        "use_keys": True,
        "key_file": str(lab.key),
        "allow_agent": False,
        "ssh_strict": True,
        "system_host_keys": False,
        "alt_host_keys": True,
        "alt_key_file": str(lab.known_hosts),
    }


def _connection(extras: Mapping[str, Any]) -> dict[str, Any]:
    return {"connection_options": {"netmiko": {"platform": "linux", "extras": dict(extras)}}}


def _jump(behind: Sequence[LabHost]) -> str:
    """What is said first counts, ssh_config(5): the way to these hosts is through the jump host."""
    return "".join(
        f"Host {host.name} {host.address}\n  HostName {host.address}\n  Port 22\n  User root\n  ProxyJump {_JUMP}\n"
        for host in behind
    )


def _yaml(document: Mapping[str, Any]) -> str:
    stream = io.StringIO()
    yaml = YAML(typ="safe", pure=True)
    yaml.default_flow_style = False
    yaml.dump(document, stream)
    return stream.getvalue()
