"""systemd as a fake host has it: units that refuse to start on a schema they do not know, as the lab's daemons do."""

import json

from nornir_upgrade.core.transport.host import Result
from tests.fake.index import PORTS, SCHEMAS, offer_of, project_of
from tests.fake.state import HostState, Service

_PROPERTIES = "--property=Id,LoadState,ActiveState,UnitFileState"
_KEPT = f"{_PROPERTIES},TriggeredBy,Type,ActiveEnterTimestampMonotonic"


def systemctl(state: HostState, argv: tuple[str, ...]) -> Result:
    """`systemctl VERB [--property=…] -- UNITS`."""
    verb, *options = argv[1:]
    if verb == "daemon-reload":
        return Result(0, b"", b"")
    cut = options.index("--")
    units = [unit.removesuffix(".service") for unit in options[cut + 1 :]]
    if verb == "show":
        assert options[:cut] in ([_PROPERTIES], [_KEPT]), argv
        return Result(0, "\n\n".join(_shown(state, unit) for unit in units).encode() + b"\n", b"")
    assert not options[:cut], argv
    if verb == "is-active":
        active = all(state.services.get(unit, Service()).active for unit in units)
        return Result(0 if active else 3, b"active\n" if active else b"inactive\n", b"")
    assert verb in ("start", "stop", "restart", "enable", "disable"), argv
    failed = [unit for unit in units if not change(state, verb, unit)]
    return Result(1 if failed else 0, b"", f"failed: {failed}".encode() if failed else b"")


def _shown(state: HostState, unit: str) -> str:
    service = state.services.get(unit)
    load = "loaded" if service else "not-found"
    active = "active" if service and service.active else "inactive"
    enabled = "" if not service else "enabled" if service.enabled else "disabled"
    return f"Id={unit}.service\nLoadState={load}\nActiveState={active}\nUnitFileState={enabled}"


def change(state: HostState, verb: str, unit: str) -> bool:
    """Whether the verb worked."""
    service = state.services.get(unit)
    if service is None:
        return False
    if verb in ("enable", "disable"):
        service.enabled = verb == "enable"
    elif verb == "stop":
        service.active = False
    else:
        service.active = _can_run(state, unit)
        return service.active
    return True


def _can_run(state: HostState, unit: str) -> bool:
    """A daemon whose database is on this host runs only on the schema that its release knows, and when it is configured."""
    found = project_of(unit)
    if found is None:
        return True
    release, database = release_of(state, unit), found[1].database
    if not release or state.packages[unit].state != "installed":
        return False
    return database not in state.databases or state.databases[database].schema == SCHEMAS[release][database]


def listener(state: HostState, port: int) -> str:
    """The active unit that listens there, or ''."""
    return next((unit for unit, one in PORTS.items() if one == port and state.services.get(unit, Service()).active), "")


def answer(state: HostState, unit: str) -> bytes:
    """What the daemon says of itself over HTTP."""
    return json.dumps({"service": unit, "version": state.packages[unit].version}).encode()


def release_of(state: HostState, name: str) -> str:
    """The release whose version of `name` is on the host; '' when none is."""
    package = state.packages.get(name)
    if package is None or package.state == "config-files":
        return ""
    offer = offer_of(name, package.version)
    return offer.release if offer else ""
