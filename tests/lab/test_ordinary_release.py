"""An ordinary server with services and data goes from Debian 12 to 13 and back. The measure is its whole disk, and its data."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from nornir_upgrade.lab import ordinary
from nornir_upgrade.lab.lab import Lab
from rollback.disk.rules import Rule
from tests.conftest import OWN, Say
from tests.lab import whole
from tests.lab.prober import Prober
from tests.lab.site import Site

pytestmark = [pytest.mark.lab, pytest.mark.soak]  # some ten minutes of work for one processor

NAME = ordinary.BIG.name
MOVED = Rule(
    name="mariadb-moved",
    reason="An older MariaDB takes no data of a newer one: its preinst moves them to /var/lib/mysql-11.8, and begins anew.",
    paths=("/var/lib/mysql", "/var/lib/mysql/**", "/var/lib/mysql-11.8", "/var/lib/mysql-11.8/**"),
    aspects=("presence", "content", "mode", "owner"),
)
"""Of this test alone: no rule that is shipped hides data. docs/release-upgrade.md says what an operator does about it."""
_ASKED = {
    "release": ". /etc/os-release; echo $VERSION_CODENAME",
    "nginx": "curl -s -o /dev/null -w '%{http_code}' http://localhost/",
    "postgresql": "su postgres -c 'psql -Atc \"SELECT count(*), sum(cents) FROM entries\" ledger'",
    "redis": whole.KEYS,
    "rows": whole.ROWS,
    "mail": "grep -c 'Kept in a mailbox' /var/mail/ops; exim4 -bV | grep -c Exim",
    "certificates": "trust=/etc/ssl/certs/ca-certificates.crt; grep -c BEGIN $trust",
    "failed": "systemctl --failed --plain --no-legend",
    "dpkg": "dpkg --audit; dpkg --verify",
    "packages": "dpkg-query -Wf '${binary:Package} ${Version} ${db:Status-Abbrev}\\n'; apt-mark showauto; apt-mark showhold",
}


@pytest.fixture
def site(lab_directory: Path, tmp_path: Path) -> Iterator[Site]:
    lab = Lab(lab_directory, prefix=OWN)
    ordinary.up(lab, hosts=[ordinary.BIG])
    site = Site(tmp_path, lab, {NAME: ("debian",)}, patience=3600.0)
    site.configure()
    yield site
    site.close()
    lab.reset(NAME)


def answers(site: Site) -> dict[str, str]:
    """What the host says of itself, of its services, and of their data."""
    return {name: site.text(NAME, "bash", "--norc", "-c", script) for name, script in _ASKED.items()}


def stanzas(site: Site) -> set[str]:
    """All that dpkg keeps in mind of each package."""
    return set(site.text(NAME, "cat", "/var/lib/dpkg/status").split("\n\n"))


def test_debian_12_to_13_and_back_with_its_data(site: Site, say: Say) -> None:
    site.lab.run(NAME, ["apt-get", "-qq", "update"])
    first, known, before = answers(site), stanzas(site), whole.take(site.lab, [NAME])
    with Prober(site.lab, NAME) as prober:
        site.upgrade("run", "release-upgrade", "--yes", "--force")
        there = answers(site)
        site.rollback("apply", "--purge", "libwtmpdb0", "--yes")  # the logins of Debian 13, which 12 has no reader for
    say(f"{NAME}: {len(prober.attempts)} logins, {prober.refused} refused; lock-outs: {len(prober.lock_outs())}")
    assert (there["release"], there["nginx"], there["postgresql"]) == ("trixie\n", "200", first["postgresql"])
    assert answers(site) == first
    assert sorted(stanzas(site) ^ known) == []
    assert prober.lock_outs() == []
    moved = int(site.text(NAME, "stat", "-c", "%s", "/var/lib/mysql-11.8/wiki/pages.ibd"))
    assert moved > 0 and site.text(NAME, "systemctl", "is-active", "mariadb") == "active\n"
    say(whole.assert_explained(whole.differences(before, whole.take(site.lab, [NAME]), [MOVED, *whole.DATABASES])))
