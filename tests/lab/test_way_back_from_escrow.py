"""The old release is gone from the archive, and seven hosts go back to it all the same: out of escrow. Judged by `picture`."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.conftest import Say
from tests.lab.picture import take
from tests.lab.site import BOTH, Site
from tests.lab.test_both_families import NEW, OLD, assert_as_before, versions

pytestmark = pytest.mark.lab

RELEASES = ("havana", "rpm/havana")
EMPTY = "apt-get clean 2>/dev/null; find /var/cache/dnf /var/cache/apt/archives -type f -delete 2>/dev/null"
# A version that was only ever built on the host itself.
LOCAL = """\
set -e
cd /root && apt-get -qq download nova-compute && dpkg-deb -R nova-compute_*.deb local && rm nova-compute_*.deb
sed -i 's/^Version: .*/&+local1/' local/DEBIAN/control && dpkg-deb -b local local.deb && dpkg -i local.deb && rm -r local*
"""


@contextmanager
def deleted(site: Site) -> Iterator[None]:
    """Within the block the archive has nothing of the old release."""
    gone = {site.lab.repositories / name: site.lab.repositories / f"{name}.gone" for name in RELEASES}
    for path, aside in gone.items():
        path.rename(aside)
    try:
        yield
    finally:
        for path, aside in gone.items():
            aside.rename(path)


@pytest.mark.parametrize("case", ["deleted", "caches emptied", "never in a repository"])
def test_seven_hosts_go_back_though_the_old_release_is_deleted(both: Site, say: Say, case: str) -> None:
    if case == "never in a repository":
        both.lab.run("cmp1", ["sh", "-c", LOCAL])
    before = take(both.lab, BOTH)
    assert versions(before) == OLD
    both.forward()
    assert versions(take(both.lab, BOTH)) == NEW
    kept = both.rollback("escrow", "list", "-o", "json").document["packages"]
    rebuilt = [one["file"]["version"] for one in kept if one["source"] == "rebuilt"]
    assert len(rebuilt) == (case == "never in a repository") and all(one.endswith("+local1") for one in rebuilt)
    if case == "caches emptied":
        for host in BOTH:
            both.lab.run(host, ["sh", "-c", EMPTY], check=False)
    with deleted(both):
        computed = both.rollback("compute", "-o", "json").document["manifests"]
        fetched = [one for host in computed for one in host["changes"] if one["action"] in ("downgrade", "install")]
        assert len(computed) == 7 and fetched and all(one["from_escrow"] for one in fetched)
        both.rollback("apply", "--restore-db", "--yes")
        assert_as_before(both, before)
    say(f"escrow: {len(kept)} package files, {sum(one['size'] for one in kept)} bytes for {len(BOTH)} hosts")


def test_a_failed_run_is_undone_though_the_old_release_is_deleted(both: Site) -> None:
    before = take(both.lab, BOTH)
    both.plant("rcmp1", "fail-openstack-nova-compute", "icehouse")
    both.forward(status=3)
    both.mend("rcmp1")
    with deleted(both):
        both.upgrade("unwind", "--yes")
        assert_as_before(both, before)
