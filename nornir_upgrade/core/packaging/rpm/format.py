"""rpm as a `Format`: grammar of names and versions, and names of files."""

from nornir_upgrade.core.packaging.format import Format
from nornir_upgrade.core.packaging.state import KeptPlace
from nornir_upgrade.core.version import nevra


def _file_name(name: str, version: str, arch: str) -> str:
    return f"{name}-{nevra.without_epoch(version)}.{arch}.rpm"


_PLACES = (
    KeptPlace("/etc/pki/ca-trust", "certificates", "the trusted roots, as update-ca-trust(8) extracts them"),
    KeptPlace("/var/lib/alternatives", "alternatives", "alternatives(8) keeps its choices here"),
    KeptPlace("/var/lib/authselect", "registries", "authselect(8): the profile that it wrote to /etc"),
)

RPM = Format(
    name="rpm",
    flavour="rpm",
    check_name=nevra.check_name,
    check_arch=nevra.check_arch,
    check_version=nevra.in_words,
    file_name=_file_name,
    suffix=".rpm",
    purges=False,
    several=True,
    any_arch="noarch",
    places=_PLACES,
    judgement="rollback.packaging.rpm.judgement:RPM",
)
