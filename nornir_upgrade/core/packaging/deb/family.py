"""deb as a `Format`: grammar of names and versions, and names of files."""

from nornir_upgrade.core.packaging.format import Format
from nornir_upgrade.core.version import deb, evr


def _check_name(name: str) -> str:
    return evr.check_name(name, qualified=True)


def _check_version(_: str, version: str) -> str:
    return evr.check_version(version)


DEB = Format(
    name="deb",
    flavour="deb",
    check_name=_check_name,
    check_arch=evr.check_arch,
    check_version=_check_version,
    file_name=deb.file_name,
    suffix=".deb",
    purges=True,
    several=False,
    any_arch="all",
    judgement="rollback.packaging.deb.judgement:DEB",
)
