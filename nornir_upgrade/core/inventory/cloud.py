"""Cloud: the group of hosts that share databases, from the data of the inventory."""

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
    """The cloud of a host, from its inventory data; '' if they name none. Raises `InvalidInput` if it is not text."""
    cloud = host.data.get("cloud") or ""
    if not isinstance(cloud, str):
        raise InvalidInput(f"host {host.name}: cloud must be text, not {cloud!r}", hint="put it in quotes")
    return cloud
