"""Fleet: Nornir's inventory and its concurrent runs, as the protocol `Fleet` of `transport.host`. Only this module imports nornir."""

import logging
import os
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from nornir.core import Nornir
from nornir.core.configuration import Config
from nornir.core.inventory import ConnectionOptions, Inventory
from nornir.core.inventory import Host as Entry
from nornir.core.plugins.connections import ConnectionPluginRegister
from nornir.core.plugins.runners import RunnerPlugin
from nornir.core.state import GlobalState
from nornir.core.task import Task
from nornir.init_nornir import load_inventory, load_runner
from nornir.plugins.inventory import SimpleInventory
from nornir.plugins.runners import ThreadedRunner

from nornir_upgrade.core.errors import InvalidInput, UnknownName
from nornir_upgrade.core.lazy_imports import defer
from nornir_upgrade.core.transport.dial import Dial
from nornir_upgrade.core.transport.host import Host
from nornir_upgrade.core.transport.jobs import PATIENCE

from . import inventory_files as inventory
from .limit import chosen

if TYPE_CHECKING:  # netmiko takes longer to import than the inventory to load
    from nornir_upgrade.core.transport.ssh import SshHost

T = TypeVar("T")

CONNECTION = "nornir_upgrade"
"""The name of our connection plugin. Its options are those of the `netmiko` connection."""

_AHEAD = 10  # connections that are started while netmiko is being imported
_SIMPLE = ("SimpleInventory", "YAMLInventory")  # of nornir and of nornir-utils: both read the same files
_OPTIONS = {"hosts": "host_file", "groups": "group_file", "defaults": "defaults_file"}
_SECTIONS = ("core", "inventory", "logging", "runner", "ssh", "user_defined")
_PATHS = ("key_file", "alt_key_file", "ssh_config_file")
# No hostname or username may be taken for an option, by ssh or a proxy command.
_HOSTNAME = re.compile(r"[A-Za-z0-9_:\[][A-Za-z0-9_.:%\[\]-]*", re.ASCII)
_USERNAME = re.compile(r"[^\s\0-][^\s\0]*")

defer("invoke")  # paramiko imports it, with asyncio and unittest, only for `Match exec` in an ssh_config
defer("netmiko", log=logging.getLogger("netmiko"))  # it imports the drivers of all vendors; we need only that of Linux

for _library in (
    "nornir",
    "nornir_utils",
):  # we report their errors ourselves; without a handler Python prints them as well
    logging.getLogger(_library).addHandler(logging.NullHandler())


@dataclass(frozen=True, slots=True)
class FleetHost:
    """A host of the inventory, with all its groups, nearest first, and its data, including inherited data."""

    name: str
    groups: tuple[str, ...]
    data: Mapping[str, Any]


class NornirFleet:
    """The hosts of an inventory that a limit selects. `inventory` holds all hosts. `settings` is `user_defined` in config.yaml."""

    def __init__(self, nornir: Nornir, home: Path, inventory: tuple[FleetHost, ...]) -> None:
        self._nornir = nornir
        entries = nornir.inventory.hosts
        self._options = {name: _netmiko_options(entry, home) for name, entry in entries.items()}
        self._dials: dict[str, Dial] = {}
        self.inventory = inventory
        self.hosts = tuple(host for host in inventory if host.name in entries)
        self.names = tuple(host.name for host in self.hosts)
        self.settings: Mapping[str, Any] = nornir.config.user_defined

    def each(self, names: Sequence[str], act: Callable[[Host], T]) -> Mapping[str, T | Exception]:
        """Calls `act` for every named host, concurrently. Returns, in the order of `names`, each host's value or exception.

        A host that failed in an earlier call is not left out. Raises `UnknownName` for a host that is not in the fleet.
        """
        for name in names:
            if name not in self._nornir.inventory.hosts:
                raise UnknownName("host", name, self.names)
        wanted = frozenset(names)
        self._dial(names)
        nornir = self._nornir.filter(filter_func=lambda host: host.name in wanted)
        results = nornir.run(task=_attempt, on_failed=True, act=lambda entry: act(self._connection(entry)))
        return {name: _outcome(results[name].result) for name in names}

    def _dial(self, names: Sequence[str]) -> None:
        """Starts the TCP connections of the first hosts, while netmiko is still being imported.

        The connections of the other hosts are made while the first ones log in.
        """
        fresh = [name for name in names if CONNECTION not in self._nornir.inventory.hosts[name].connections]
        for name in fresh[: min(_AHEAD, getattr(self._nornir.runner, "num_workers", 1))]:
            options = self._options[name]
            if name not in self._dials and _direct(options, self._nornir.config):
                self._dials[name] = Dial(options.hostname or name, options.port or 22)

    def _connection(self, entry: Entry) -> Host:
        if CONNECTION not in entry.connections:
            options = self._options[entry.name]
            entry.open_connection(
                CONNECTION,
                self._nornir.config,
                hostname=options.hostname,
                username=options.username,
                password=options.password,
                port=options.port,
                extras={"name": entry.name, "netmiko": options.extras, "dial": self._dials.pop(entry.name, None)},
                default_to_host_attributes=False,
            )
        host: Host = entry.connections[CONNECTION].connection
        return host

    def close(self) -> None:
        """Closes all connections."""
        while self._dials:
            self._dials.popitem()[1].close()
        for entry in self._nornir.inventory.hosts.values():
            entry.close_connections()


@dataclass(frozen=True, slots=True)
class _Outcome:
    """The result of one host. Nornir gets no exception: it would log it, and leave the host out of later runs."""

    value: Any = None
    error: Exception | None = None


def _attempt(task: Task, act: Callable[[Entry], Any]) -> _Outcome:
    try:
        return _Outcome(act(task.host))
    except Exception as error:
        return _Outcome(error=error)


def _outcome(result: Any) -> Any:
    if not isinstance(result, _Outcome):
        raise RuntimeError(f"nornir's runner gave up: {result}")
    return result.value if result.error is None else result.error


class Connection:
    """The connection plugin for Nornir: an `SshHost`, which connects at its first command."""

    connection: "SshHost"

    def open(
        self,
        hostname: str | None,
        username: str | None,
        password: str | None,
        port: int | None,
        platform: str | None,
        extras: dict[str, Any] | None = None,
        configuration: Config | None = None,
    ) -> None:
        from nornir_upgrade.core.transport.ssh import SshHost

        assert hostname and extras and configuration
        self.connection = SshHost(
            extras["name"],
            hostname,
            username=username or "",
            password=password,
            port=port,
            extras=_with_config(extras["netmiko"], configuration),
            dial=extras["dial"],
            patience=_patience(configuration.user_defined),
        )

    def close(self) -> None:
        self.connection.close()


def load(config: Path, limit: str = "", workers: int = 0) -> NornirFleet:
    """The fleet that `config` (Nornir's own configuration) describes. Relative paths in it are relative to its directory.

    `limit` selects hosts, as in `limit.chosen`. `workers`: the number of hosts to work on at the same time; 0 leaves it to the
    configuration. Connects to no host. Raises `InvalidInput` and `UnknownName`; for mistakes in YAML with file, line and key.
    """
    nornir = _initialised(config)
    hosts = tuple(
        FleetHost(name, tuple(group.name for group in entry.extended_groups()), entry.extended_data())
        for name, entry in nornir.inventory.hosts.items()
    )
    groups_of = {host.name: host.groups for host in hosts}
    inside = frozenset(chosen(limit, groups_of, list(nornir.inventory.groups)))
    nornir = nornir.filter(filter_func=lambda host: host.name in inside)
    if workers:
        nornir = nornir.with_runner(ThreadedRunner(num_workers=workers))
    fleet = NornirFleet(nornir, config.absolute().parent, hosts)
    _patience(fleet.settings)
    return fleet


def _initialised(config: Path) -> Nornir:
    """Nornir with its inventory, and without its log file."""
    document = inventory.read_yaml(config)
    for key, section in document.items():
        place = inventory.KeyPlace(config, document, (), key)
        if key not in _SECTIONS:
            raise place.wrong("there is no such section", hint=f"there is: {', '.join(_SECTIONS)}")
        if section is not None and not isinstance(section, dict):
            raise place.wrong(f"must hold keys and values, not {section!r}")
        if key == "runner":
            _check_runner(place, section or {})
    home = config.absolute().parent
    sections: dict[str, Any] = {key: dict(section or {}) for key, section in document.items()}
    sections["logging"] = {"enabled": False}
    sections["inventory"] = _inventory_section(sections.get("inventory", {}), home)
    if file := sections.get("ssh", {}).get("config_file"):
        sections["ssh"]["config_file"] = _path(file, home)
    if CONNECTION not in ConnectionPluginRegister.available:
        ConnectionPluginRegister.register(CONNECTION, Connection)
    # As InitNornir does, which would also import the connection plugins of every installed package. We use only our own.
    try:
        settings = Config.from_dict(**sections)
        return Nornir(inventory=_inventory(settings), runner=_runner(settings), config=settings, data=GlobalState())
    except Exception as error:  # plugins are anybody's code
        raise InvalidInput(f"{config}: Nornir does not accept it: {type(error).__name__}: {error}") from error


def _check_runner(place: inventory.KeyPlace, section: Mapping[str, Any]) -> None:
    """Raises `InvalidInput` if `num_workers` is not a positive whole number: the runner would fail on it later."""
    options = section.get("options") or {}
    here = place.below(section, "options")
    if not isinstance(options, Mapping):
        raise here.wrong(f"must hold keys and values, not {options!r}")
    many = options.get("num_workers", 1)
    if not isinstance(many, int) or isinstance(many, bool) or many < 1:
        raise here.below(options, "num_workers").wrong(f"must be a whole number from 1, not {many!r}")


def _inventory(settings: Config) -> Inventory:
    """As load_inventory of nornir, without importing the inventory plugins of every installed package if the plugin is the usual."""
    chosen = settings.inventory
    if chosen.plugin == "SimpleInventory" and not chosen.transform_function:
        return SimpleInventory(**chosen.options).load()
    return load_inventory(settings)


def _runner(settings: Config) -> RunnerPlugin:
    """As load_runner of nornir, without searching every installed package for runners if the runner is the usual one."""
    chosen = settings.runner
    return ThreadedRunner(**chosen.options) if chosen.plugin == "threaded" else load_runner(settings)


def _inventory_section(section: dict[str, Any], home: Path) -> dict[str, Any]:
    """The section with absolute paths. Raises `InvalidInput` for mistakes in the files of a simple inventory."""
    options = dict(section.get("options") or {})
    if section.get("plugin", _SIMPLE[0]) in _SIMPLE:
        named = {name for name, option in _OPTIONS.items() if options.get(option) is not None}
        for name, option in _OPTIONS.items():
            options.setdefault(option, f"{name}.yaml")
    for option, value in options.items():
        if option.endswith(("_file", "_path", "_directory")) and isinstance(value, str):
            options[option] = _path(value, home)
    if section.get("plugin", _SIMPLE[0]) in _SIMPLE:
        files = {name: Path(str(options[option])) for name, option in _OPTIONS.items()}
        for name in sorted(named):
            if not files[name].exists():
                raise InvalidInput(
                    f"{files[name]}: No such file or directory", hint=f"config.yaml names it: {_OPTIONS[name]}"
                )
        inventory.check(files)
    return section | {"options": options}


def _path(path: str, home: Path) -> str:
    return str(home / Path(path).expanduser())


def _netmiko_options(entry: Entry, home: Path) -> ConnectionOptions:
    """The host's options for netmiko, with absolute paths. Raises `InvalidInput` for a bad hostname, username or path."""
    options = entry.get_connection_parameters("netmiko")
    hostname, username = options.hostname or entry.name, options.username or ""
    if not _HOSTNAME.fullmatch(hostname):
        raise InvalidInput(f"host {entry.name}: {hostname!r} is not a hostname")
    if username and not _USERNAME.fullmatch(username):
        raise InvalidInput(f"host {entry.name}: {username!r} is not a username")
    extras = dict(options.extras or {})
    for key in _PATHS:
        if value := extras.get(key):
            if not isinstance(value, str):
                raise InvalidInput(f"host {entry.name}: {key} must be the name of a file, not {value!r}")
            extras[key] = _path(value, home)
    return ConnectionOptions(hostname, options.port, username, options.password, options.platform, extras)


def _with_config(extras: Mapping[str, Any], configuration: Config) -> dict[str, Any]:
    """`extras` with the ssh_config file, as nornir-netmiko adds it."""
    return {"ssh_config_file": configuration.ssh.config_file, **extras}


def _direct(options: ConnectionOptions, configuration: Config) -> bool:
    """Whether the inventory alone determines the host's address: no ssh_config can change it, or add a jump host."""
    extras = _with_config(options.extras or {}, configuration)
    return not extras.get("sock") and not Path(extras["ssh_config_file"] or os.devnull).expanduser().is_file()


def _patience(settings: Mapping[str, Any]) -> float:
    """The setting `reconnect`: seconds for which a host that was reachable may be unreachable."""
    seconds = settings.get("reconnect", PATIENCE)
    if not isinstance(seconds, int | float) or isinstance(seconds, bool) or not 0 <= seconds <= 3600:
        raise InvalidInput(f"user_defined: reconnect must be seconds from 0 to 3600, not {seconds!r}")
    return float(seconds)
