"""LabHost: what a host of the lab is called, where it is, and what stands on it."""

import re
from dataclasses import dataclass

from nornir_upgrade.core.errors import InvalidInput

NETWORK = "10.99.0"
"""The lab's own network, /24. It exists in the lab's network namespace only, so that labs do not meet."""
CONTROLLER = f"{NETWORK}.1"
HTTP_PORT = 8000
ARCHIVE = f"http://{CONTROLLER}:{HTTP_PORT}"
"""Where hosts find the lab's web server."""
SSH_PORT = 10022

_NAME = re.compile(r"[a-z][a-z0-9-]{0,61}[a-z0-9]|[a-z]")  # a label of RFC 1123, and no number alone


@dataclass(frozen=True, slots=True)
class LabHost:
    """A host as it is asked for: `number` is the last part of its address, `base` names a recipe of `lab.base`.

    `login` is who the lab logs in as; another than root becomes root through sudo.
    """

    name: str
    number: int
    base: str = "node"
    login: str = "root"

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name):
            raise InvalidInput(f"{self.name!r} is no host name", hint="small letters, digits and inner hyphens")
        if not 2 <= self.number <= 254:
            raise InvalidInput(f"{self.name}: the number {self.number} is not in 2..254")

    @property
    def address(self) -> str:
        """Its address inside the lab."""
        return f"{NETWORK}.{self.number}"


@dataclass(frozen=True, slots=True)
class HostStatus:
    """A host as it is: `address` and `port` are where this machine reaches its sshd.

    `state` is `running`, `stopped` (powered off, killed, or never started) or `failed` (its boot failed).
    `linked` is false while it is cut off from the network. `golden` is the key of the layer it resets to, or None.
    """

    name: str
    base: str
    address: str
    port: int
    state: str
    linked: bool
    golden: str | None
