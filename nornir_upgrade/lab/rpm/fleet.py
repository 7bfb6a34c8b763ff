"""The lab's RPM hosts, a cloud of their own, and which packages of a release each carries."""

from collections.abc import Mapping

from nornir_upgrade.lab.host import LabHost

RPM_CONTROL = LabHost("rctl1", 21, base="rpm-db")
RPM_COMPUTE = (LabHost("rcmp1", 22, base="rpm"), LabHost("rcmp2", 23, base="rpm"))
RPM_FLEET: tuple[LabHost, ...] = (RPM_CONTROL, *RPM_COMPUTE)

RPM_INSTALLED: Mapping[str, tuple[str, ...]] = {
    "rctl1": (
        *("openstack-keystone", "openstack-glance", "openstack-nova-api", "openstack-nova-conductor"),
        *("openstack-nova-scheduler", "openstack-quantum", "openstack-cinder"),
        *("python-keystoneclient", "python-glanceclient", "python-novaclient", "python-quantumclient"),
        *("python-cinderclient", "kernel-core"),
    ),
    "rcmp1": ("openstack-nova-compute", "kernel-core"),
    "rcmp2": ("openstack-nova-compute", "kernel-core"),
}
"""Host -> the packages of Havana that were asked for there; what they require came by itself."""

RPM_HELD: Mapping[str, tuple[str, ...]] = {"rcmp2": ("less",)}
"""Host -> the packages that dnf's versionlock holds there."""
