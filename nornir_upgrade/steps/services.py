"""Services: systemd units, started or stopped, enabled or disabled."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from nornir_upgrade.core.errors import InvalidInput, StateDiffers
from nornir_upgrade.core.step import Step
from nornir_upgrade.core.store import Store
from nornir_upgrade.core.transport.host import Host

_UNIT = re.compile(r"[A-Za-z0-9:_.\\][A-Za-z0-9:_.\\@-]*")  # systemd.unit(5)
_PROPERTIES = "Id,LoadState,ActiveState,UnitFileState"
_START_LIMIT = 300.0  # seconds: above systemd's own TimeoutStartSec, which ends a hanging start


@dataclass(frozen=True, slots=True)
class ServiceWant:
    """A service, by the name of its unit without `.service`. `None` leaves that property as it is."""

    name: str
    active: bool | None = None
    enabled: bool | None = None


@dataclass(frozen=True, slots=True)
class SetServices(Step, kind="services"):
    """Every service in `want` is as wanted. A service that is not installed counts as stopped, and cannot be started."""

    want: tuple[ServiceWant, ...]
    kind: Literal["services"] = "services"

    def observe(self, host: Host, store: Store) -> Step:
        present = states(host, [want.name for want in self.want])
        return SetServices(tuple(_as_asked(present[want.name], want) for want in self.want))

    def apply(self, host: Host, store: Store) -> None:
        present = states(host, [want.name for want in self.want])
        for verb, names in _calls(self.want, present):
            host.run(("systemctl", verb, "--", *(f"{name}.service" for name in names)), timeout=_START_LIMIT)
        self._verify(host)

    def _verify(self, host: Host) -> None:
        """Raises `StateDiffers` if a service is not as wanted: it may have failed just after systemd reported its start."""
        present = states(host, [want.name for want in self.want])
        wrong = [
            want.name for want in self.want if want.active is not None and present[want.name].active != want.active
        ]
        if wrong:
            raise StateDiffers(
                f"{host.name}: not as wanted: {', '.join(wrong)}",
                hint=f"on {host.name}: journalctl -u {wrong[0]}.service",
            )

    def describe(self) -> str:
        groups = {
            "start": [w.name for w in self.want if w.active],
            "stop": [w.name for w in self.want if w.active is False],
            "enable": [w.name for w in self.want if w.enabled],
            "disable": [w.name for w in self.want if w.enabled is False],
        }
        return (
            "; ".join(f"{verb} {', '.join(names)}" for verb, names in groups.items() if names) or "services as they are"
        )


def states(host: Host, names: Sequence[str]) -> dict[str, ServiceWant]:
    """The present state of each service. `enabled` is `None` for a unit that can be neither (not installed, static, masked, ...)."""
    if not names:
        return {}
    units = [f"{_checked(name)}.service" for name in names]
    text = host.run(("systemctl", "show", f"--property={_PROPERTIES}", "--", *units)).text
    blocks = [dict(line.split("=", 1) for line in block.splitlines()) for block in text.strip().split("\n\n")]
    if len(blocks) != len(units):
        raise InvalidInput(f"{host.name}: systemctl reported {len(blocks)} units, not {len(units)}")
    return {name: _state(name, block) for name, block in zip(names, blocks, strict=True)}


def _state(name: str, block: dict[str, str]) -> ServiceWant:
    enabled = {"enabled": True, "disabled": False}.get(block.get("UnitFileState", ""))
    return ServiceWant(name, block["ActiveState"] in ("active", "activating", "reloading"), enabled)


def _as_asked(present: ServiceWant, want: ServiceWant) -> ServiceWant:
    """The present state, limited to the properties that `want` would change."""
    active = None if want.active is None else present.active
    return ServiceWant(want.name, active, None if want.enabled is None else present.enabled)


def _calls(want: Iterable[ServiceWant], present: dict[str, ServiceWant]) -> Iterable[tuple[str, list[str]]]:
    want = tuple(want)
    pairs = [(one, present[one.name]) for one in want]
    yield from (
        (verb, names)
        for verb, names in (
            ("enable", [w.name for w, now in pairs if w.enabled is True and now.enabled is not True]),
            ("disable", [w.name for w, now in pairs if w.enabled is False and now.enabled is True]),
            ("stop", [w.name for w, now in pairs if w.active is False and now.active]),
            ("start", [w.name for w, now in pairs if w.active and not now.active]),
        )
        if names
    )


def _checked(name: str) -> str:
    if not _UNIT.fullmatch(name):
        raise InvalidInput(f"{name!r} is not the name of a service (systemd.unit(5))")
    return name
