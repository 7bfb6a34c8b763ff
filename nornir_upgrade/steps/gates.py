"""Gates: health checks as values. A gate changes nothing; it waits until what it says is true, or raises `GateFailed`."""

import time
from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from nornir_upgrade.core.errors import CommandFailed, GateFailed, StateDiffers
from nornir_upgrade.core.packaging.registry import family_of, settle
from nornir_upgrade.core.step import Step
from nornir_upgrade.core.store import Store
from nornir_upgrade.core.transport.host import Host, quote

from .databases import dumped

_KEPT = "Id,LoadState,ActiveState,UnitFileState,TriggeredBy,Type,ActiveEnterTimestampMonotonic"
_PAUSE = 0.5  # seconds between two looks
_CONNECT = 'exec 3<>"/dev/tcp/$1/$2"'  # bash(1), Redirection


class Gate(Step):
    """Base of the gates: nothing to observe, nothing to undo. `timeout` in seconds."""

    __slots__ = ()
    timeout: float

    def observe(self, host: Host, store: Store) -> None:
        return None

    def apply(self, host: Host, store: Store) -> None:
        end = time.monotonic() + self.timeout
        while trouble := self.trouble(host, store):
            if time.monotonic() >= end:
                raise GateFailed(f"{host.name}: {trouble}", hint=f"waited {self.timeout:g} s for: {self.describe()}")
            time.sleep(_PAUSE)

    @abstractmethod
    def trouble(self, host: Host, store: Store) -> str:
        """What is wrong now, in words; empty when the gate passes."""


@dataclass(frozen=True, slots=True)
class ServiceActive(Gate, kind="gate_service"):
    """The service runs."""

    service: str
    timeout: float = 30.0
    kind: Literal["gate_service"] = "gate_service"

    def trouble(self, host: Host, store: Store) -> str:
        result = host.run(("systemctl", "is-active", "--", f"{self.service}.service"), check=False)
        return "" if result.status == 0 else f"service {self.service} is {result.text.strip() or 'not there'}"

    def describe(self) -> str:
        return f"service {self.service} runs"


@dataclass(frozen=True, slots=True)
class ServicesKept(Gate, kind="gate_services"):
    """Of `services`, which ran before, none has failed, and none that starts at boot has stopped.

    One that is gone went with its package. One that something else starts when it is wanted (a socket), or that does its work and
    ends, may be inactive. Instances that are called after one of them (PostgreSQL's clusters) must not have failed either.
    """

    services: tuple[str, ...]
    timeout: float = 120.0
    kind: Literal["gate_services"] = "gate_services"

    def trouble(self, host: Host, store: Store) -> str:
        units = (f"{name}{instance}.service" for name in self.services for instance in ("", "@*"))
        text = host.run(("systemctl", "show", f"--property={_KEPT}", "--", *units)).text
        blocks = [dict(line.split("=", 1) for line in block.splitlines()) for block in text.strip().split("\n\n")]
        wrong = [f"{one['Id'].removesuffix('.service')} is {one['ActiveState']}" for one in blocks if _is_lost(one)]
        return f"ran before: {'; '.join(wrong)}" if wrong else ""

    def describe(self) -> str:
        return f"the other {len(self.services)} services that ran still run"


def _is_lost(unit: Mapping[str, str]) -> bool:
    """Whether a unit that ran should run, and does not."""
    if unit["LoadState"] != "loaded" or unit["ActiveState"] in ("active", "reloading"):
        return False
    if "@" in unit["Id"]:
        return unit["ActiveState"] == "failed" and unit.get("ActiveEnterTimestampMonotonic", "0") != "0"
    by_itself = unit.get("UnitFileState", "").startswith("enabled") and not unit.get("TriggeredBy")
    return unit["ActiveState"] == "failed" or (by_itself and unit.get("Type") != "oneshot")


@dataclass(frozen=True, slots=True)
class PortOpen(Gate, kind="gate_port"):
    """Something on the host accepts TCP connections at `address`:`port`. `services`: the names of which one must run for that."""

    port: int
    address: str = "127.0.0.1"
    timeout: float = 30.0
    services: tuple[str, ...] = ()
    kind: Literal["gate_port"] = "gate_port"

    def trouble(self, host: Host, store: Store) -> str:
        argv = ("timeout", "5", "bash", "-c", _CONNECT, "bash", self.address, str(self.port))
        return "" if host.run(argv, check=False).status == 0 else f"nothing listens on {self.address} port {self.port}"

    def describe(self) -> str:
        return f"port {self.port} is open"


@dataclass(frozen=True, slots=True)
class HttpStatus(Gate, kind="gate_http"):
    """`url`, asked by the host's own curl, answers with `status` and a body that contains `contains`.

    `services`: as of a port. `says` is what `contains` was made of: `{version}` in it stands for the version of one of `packages`.
    """

    url: str
    status: int = 200
    contains: str = ""
    timeout: float = 30.0
    services: tuple[str, ...] = ()
    says: str = ""
    packages: tuple[str, ...] = ()
    kind: Literal["gate_http"] = "gate_http"

    def trouble(self, host: Host, store: Store) -> str:
        argv = ("curl", "--silent", "--show-error", "--max-time", "10", "--write-out", "\n%{http_code}", "--", self.url)
        result = host.run(argv, check=False)
        body, _, status = result.text.rpartition("\n")
        if result.status != 0:
            return f"{self.url}: {result.errors.strip()}"
        if status != str(self.status):
            return f"{self.url} answers {status}, not {self.status}"
        return "" if self.contains in body else f"{self.url} does not say {self.contains!r}"

    def describe(self) -> str:
        return f"{self.url} answers {self.status}" + (f" with {self.contains!r}" if self.contains else "")


@dataclass(frozen=True, slots=True)
class AuditClean(Gate, kind="gate_audit"):
    """No package is half installed."""

    timeout: float = 0.0
    family: str = "deb"
    manager: str = ""
    kind: Literal["gate_audit"] = "gate_audit"

    def __post_init__(self) -> None:
        settle(self)

    def trouble(self, host: Host, store: Store) -> str:
        return family_of(self.manager).transactions.audit(host)

    def describe(self) -> str:
        return family_of(self.manager).transactions.audited


@dataclass(frozen=True, slots=True)
class CommandSucceeds(Gate, kind="gate_command"):
    """`argv`, which must change nothing, ends with status 0."""

    argv: tuple[str, ...]
    timeout: float = 30.0
    kind: Literal["gate_command"] = "gate_command"

    def trouble(self, host: Host, store: Store) -> str:
        result = host.run(self.argv, check=False)
        return "" if result.status == 0 else f"{quote(self.argv)} ended with status {result.status}"

    def describe(self) -> str:
        return f"{quote(self.argv)} succeeds"


@dataclass(frozen=True, slots=True)
class DatabaseDumps(Gate, kind="gate_dump"):
    """A dump of `database` comes out whole: the login is right, and there is room for it on the host and in the store.

    The dump stays in the store, where one of the same content takes no second place. Nothing is ever restored from it: rows are
    written after it.
    """

    database: str
    defaults_file: str = ""
    timeout: float = 0.0
    kind: Literal["gate_dump"] = "gate_dump"

    def trouble(self, host: Host, store: Store) -> str:
        try:
            return "" if dumped(host, store, self.database, self.defaults_file) else f"no database {self.database!r}"
        except (CommandFailed, StateDiffers) as failure:
            return failure.message.removeprefix(f"{host.name}: ")

    def describe(self) -> str:
        return f"database {self.database} can be dumped"
