"""The hosts of the lab's fleet, and which packages of a release each carries."""

from collections.abc import Mapping

from nornir_upgrade.core.errors import InvalidInput
from nornir_upgrade.lab.host import LabHost

CONTROL = LabHost("ctl1", 11, base="db")
NETWORK_NODE = LabHost("net1", 12)
COMPUTE = (LabHost("cmp1", 13), LabHost("cmp2", 14))
FLEET: tuple[LabHost, ...] = (CONTROL, NETWORK_NODE, *COMPUTE)

INSTALLED: Mapping[str, tuple[str, ...]] = {
    "ctl1": (
        *("keystone", "glance-api", "nova-api", "nova-conductor", "nova-scheduler", "quantum-server"),
        *("cinder-api", "cinder-volume"),
        *("python-keystoneclient", "python-glanceclient", "python-novaclient", "python-quantumclient"),
        "python-cinderclient",
    ),
    "net1": ("quantum-dhcp-agent", "quantum-l3-agent"),
    "cmp1": ("nova-compute",),
    "cmp2": ("nova-compute",),
}
"""Host -> the packages of Havana that were asked for there; what they depend on came by itself."""

HELD: Mapping[str, tuple[str, ...]] = {"cmp2": ("less",)}
"""Host -> the packages held there."""

_EXTRA_MOST = 40


def extra_hosts(count: int) -> tuple[LabHost, ...]:
    """h1, h2, …: bare hosts for tests and benchmarks. Raises InvalidInput beyond 40."""
    if not 0 <= count <= _EXTRA_MOST:
        raise InvalidInput(f"{count} extra hosts cannot be had", hint=f"there is room for {_EXTRA_MOST}")
    return tuple(LabHost(f"h{number}", 100 + number) for number in range(1, count + 1))
