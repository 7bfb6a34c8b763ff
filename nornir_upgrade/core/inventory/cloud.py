"""The cloud that a host belongs to, as the inventory says: clouds share no database."""

from collections.abc import Mapping
from typing import Any, Protocol

from nornir_upgrade.core.errors import InvalidInput


class Placed(Protocol):
    """A host of the inventory."""

    @property
    def name(self) -> str: ...

    @property
    def data(self) -> Mapping[str, Any]: ...


def cloud_of(host: Placed) -> str:
    """The cloud that the host belongs to, as the inventory's data say; '' where they say nothing. Raises `InvalidInput`."""
    cloud = host.data.get("cloud") or ""
    if not isinstance(cloud, str):
        raise InvalidInput(f"host {host.name}: cloud must be text, not {cloud!r}", hint="put it in quotes")
    return cloud
