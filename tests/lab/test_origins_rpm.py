"""What dnf takes where a stage keeps to advisories or repositories, on a real host."""

from collections.abc import Iterator

import pytest

from nornir_upgrade.core.packaging.dnf.preview import options
from nornir_upgrade.core.packaging.origins import Origin
from nornir_upgrade.core.packaging.preview import EVERYTHING, preview
from nornir_upgrade.core.transport.ssh import SshHost
from tests.conftest import connect
from tests.lab.site import Site

pytestmark = pytest.mark.lab

REPOSITORY = "[{name}]\nname={name}\nbaseurl=file:///srv/{name}/\ngpgcheck=0\nmetadata_expire=0\n"
ADVISED = "python-novaclient"
# Two repositories of what the new release has for this host; in the first one an advisory names one package of it.
_MAKE = r"""
set -eu
mkdir -p /srv/advised /srv/plain
cd /srv/plain
dnf -q --disablerepo='*' --repofrompath=new,http://10.99.0.1:8000/rpm/icehouse/ --nogpgcheck repoquery --location "$1" "$2" |
  xargs -n 1 curl -s -O
cp ./*.rpm /srv/advised
createrepo_c -q /srv/plain
createrepo_c -q /srv/advised
set -- $(rpm -qp --nosignature --qf '%{NAME} %{VERSION} %{RELEASE} %{ARCH} %{EPOCHNUM}' /srv/advised/"$1"-[0-9]*.rpm)
cat > /srv/updateinfo.xml <<XML
<?xml version="1.0"?>
<updates><update from="lab" status="final" type="security" version="1"><id>LAB-1</id><title>lab</title>
<issued date="2026-01-01"/><severity>Important</severity><pkglist><collection><name>lab</name>
<package name="$1" version="$2" release="$3" epoch="$5" arch="$4" src="$1.src.rpm"><filename>$1.rpm</filename></package>
</collection></pkglist></update></updates>
XML
modifyrepo_c /srv/updateinfo.xml /srv/advised/repodata > /dev/null
"""


@pytest.fixture
def host(rpm_site: Site) -> Iterator[SshHost]:
    rpm_site.lab.run("rctl1", ["sh", "-c", _MAKE, "sh", ADVISED, "python-keystoneclient"])
    host = connect(rpm_site.lab, "rctl1")
    yield host
    host.close()


def test_an_advisory_or_a_repository_says_what_is_taken(host: SshHost) -> None:
    files = {f"/etc/yum.repos.d/{name}.repo": REPOSITORY.format(name=name) for name in ("advised", "plain")}

    def taken(*origins: Origin) -> set[str]:
        narrow = {"stage": options(origins)} if origins else None
        changes = preview(host, files, {"stage": EVERYTHING}, narrow, manager="dnf4")["stage"].changes
        return {change.name for change in changes}

    assert taken() == {ADVISED, "python-keystoneclient"}
    assert taken(Origin(advisory="security")) == {ADVISED}
    assert taken(Origin(advisory="bugfix")) == set()
    assert taken(Origin(repository="pl*")) == taken()
    assert taken(Origin(repository="plain", advisory="security")) == set()
