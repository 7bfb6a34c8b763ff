"""The comparison after a way back."""

from dataclasses import replace

import pytest

from nornir_upgrade.core.facts.compare import Area, Difference
from nornir_upgrade.core.facts.gather import Database, HostFacts, Service
from nornir_upgrade.core.state.entries import Entry
from nornir_upgrade.core.state.places import areas_of
from rollback.foreign.changes import Others
from rollback.manifest.model import Change, Manifest
from rollback.plan.expected import foretell
from rollback.plan.retained import Theirs, theirs
from rollback.verify import differences_in_text, explained_in_text, table, verify
from tests.builders import facts, package, running

THEN = {"a": facts("a", (package("nova", "1"),), databases=(Database("nova", "1"),)), "b": facts("b")}
NOW = {"a": facts("a", (package("nova", "2"),), databases=(Database("nova", "2"),)), "b": facts("b")}

ENTRY = Entry("etc", "/etc/hosts", "file 0644 0:0 1")


def test_databases_count_unless_nobody_asked_for_them() -> None:
    assert [one.area for one in verify(THEN, NOW).differences] == ["packages", "databases"]
    unasked = verify(THEN, NOW, databases=False)
    assert [one.area for one in unasked.differences] == ["packages"]
    assert [one.area for one in unasked.expected] == ["databases"]
    assert not unasked.equal and verify(THEN, THEN).equal


def test_the_table_has_every_area_and_host_and_counts_what_differs_expected_or_not() -> None:
    rows = {line.split()[0]: line.split()[1:] for line in table(verify(THEN, NOW, databases=False)).splitlines()[1:]}
    assert rows["packages"] == ["1", "differ", "equal", "(0)"]
    assert rows["databases"] == ["1", "differ", "not", "compared"]
    assert rows["marks"] == ["equal", "(1)", "equal", "(0)"]
    assert all(rows[area] == ["equal", "(0)"] * 2 for area in ("holds", "conffiles", "services", "repositories"))


def test_where_nobody_looked_nothing_is_said_to_be_equal() -> None:
    """No database was looked at, and an older snapshot tells of nothing beside packages."""
    old, new = {"a": facts("a")}, {"a": replace(facts("a"), areas=areas_of("deb"), entries=(ENTRY,))}
    rows = {line.split()[0]: line.split()[1:] for line in table(verify(old, new)).splitlines()[1:]}
    assert all(rows[area] == ["not", "compared"] for area in ("databases", "etc", "accounts", "boot"))
    assert verify(old, new).equal
    rows = {line.split()[0]: line.split()[1:] for line in table(verify(new, new)).splitlines()[1:]}
    assert rows["etc"] == ["equal", "(1)"] and rows["accounts"] == ["equal", "(0)"]
    assert rows["databases"] == ["not", "compared"]


def test_what_a_rule_explains_is_counted_and_told_and_no_difference() -> None:
    then, now = (
        {"a": replace(facts("a"), areas=areas_of("deb"), entries=(Entry("etc", "/etc/ld.so.cache", value), ENTRY))}
        for value in ("file 1", "file 2")
    )
    verification = verify(then, now)
    assert verification.equal and [one.name for one in verification.explained] == ["/etc/ld.so.cache"]
    assert "1 explained" in explained_in_text(verification.explained) and "ldconfig" in explained_in_text(
        verification.explained
    )


def test_what_others_changed_since_is_told_and_counts_as_announced() -> None:
    then, now = (
        {"a": replace(facts("a"), areas=areas_of("deb"), entries=(Entry("etc", "/etc/motd", value), ENTRY))}
        for value in ("file 1", "file 2")
    )
    assert not verify(then, now).equal
    verification = verify(then, now, others={"a": Others(stays=("/etc/motd",))})
    assert verification.equal and [one.name for one in verification.expected] == ["/etc/motd"]
    assert not verify(then, now, others={"a": Others(stays=("/etc/other",))}).equal


THEIRS = Theirs(
    frozenset({"/etc/shop"}), frozenset({"shop"}), frozenset({"shopdb", "shop", "postgresql-15", "6.1.0-9-amd64"}), True
)


def test_a_service_that_others_disabled_since_counts_as_announced_by_its_link() -> None:
    then = {"a": facts("a", services=running("cron", "nginx"))}
    now = {"a": replace(then["a"], services=(Service("cron", False, "disabled"), *running("nginx")))}
    link = "/etc/systemd/system/multi-user.target.wants/cron.service"
    assert verify(then, now, others={"a": Others(stays=(link,))}).equal
    assert not verify(then, now, others={"a": Others(stays=(link.replace("cron", "nginx"),))}).equal


@pytest.mark.parametrize(
    ("area", "name", "before", "after"),
    [
        ("etc", "/etc/shop/rows.conf", "absent", "file 0644 0:0 1"),
        ("etc", "/etc/default/shopdb", "absent", "file 0644 0:0 1"),
        ("etc", "/etc/rc2.d/S01shopdb", "absent", "-> ../init.d/shopdb"),
        ("units", "/etc/systemd/system/multi-user.target.wants/shopdb.service", "absent", "-> /lib"),
        ("accounts", "user shop", "absent", "106:112::/var/lib/shop:/bin/false"),
        ("accounts", "group ssl-cert", "110:", "110:shop"),
        ("etc", "/etc/shadow", "file 0640 0:42 1", "file 0640 0:42 2"),
        ("alternatives", "rows", "absent", "auto /usr/bin/shopdb.rows"),
        ("diversions", "/usr/bin/rows", "absent", "to /usr/bin/rows.distrib by shopdb"),
        ("clusters", "postgresql 15/main", "absent", "version 15 port 5432"),
        ("boot", "/boot/vmlinuz-6.1.0-9-amd64", "absent", "1 bytes"),
        ("boot", "/boot/grub/grub.cfg", "1 bytes 1", "2 bytes 2"),
    ],
)
def test_what_is_of_packages_that_stay_counts_as_announced_and_nothing_else_on_their_host(
    area: Area, name: str, before: str, after: str
) -> None:
    """The trusted roots that a script of another package switched off count, whoever else is on the host."""
    roots = Entry("certificates", "/etc/ca-certificates.conf", "file 1")

    def host(*entries: Entry) -> dict[str, HostFacts]:
        return {"a": replace(facts("a"), areas=areas_of("deb"), entries=entries)}

    old = () if before == "absent" else (Entry(area, name, before),)
    then, now = host(roots, *old), host(roots, Entry(area, name, after))
    assert not verify(then, now).equal and not verify(then, now, theirs={"a": Theirs()}).equal
    verification = verify(then, now, theirs={"a": THEIRS})
    assert verification.equal and [one.name for one in verification.expected] == [name]
    worse = host(replace(roots, value="file 2"), Entry(area, name, after))
    verification = verify(then, worse, theirs={"a": THEIRS})
    assert [one.name for one in verification.differences] == ["/etc/ca-certificates.conf"]


@pytest.mark.parametrize(
    ("area", "name", "before", "after"),
    [
        ("etc", "/etc/shopdbs.conf", "absent", "file 0644 0:0 1"),
        ("accounts", "user other", "absent", "107:113::/:/bin/false"),
        ("accounts", "group ssl-cert", "110:", "110:other,shop"),
        ("accounts", "group ssl-cert", "110:", "111:shop"),
        ("alternatives", "editor", "auto /bin/nano", "manual /bin/nano"),
        ("boot", "/boot/vmlinuz-6.1.0-10-amd64", "1 bytes", "absent"),
    ],
)
def test_what_is_of_no_package_that_stays_is_a_difference(area: Area, name: str, before: str, after: str) -> None:
    one = Difference("a", area, name, before, after)
    assert not THEIRS.tells(one)


def test_what_is_of_packages_that_stay_is_read_off_the_manifest() -> None:
    change = Change("shopdb", "all", "keep", "1", "shopdb", "1", foreign=True)
    holds = ("/etc/shop", "service rows@", "user shop")
    kernel = Change("linux-image-6.1.0-9-amd64", "amd64", "keep", "6.1", "linux-image-6.1.0-9-amd64", "6.1")
    latest = Change("linux-image-amd64", "amd64", "keep", "6.1", "linux-image-amd64", "6.1")
    goes = Change("nova", "all", "downgrade", "2", "nova", "1")
    found = theirs(Manifest("a", "deb", {}, (replace(change, holds=holds), kernel, latest, goes)), THEN["a"], NOW["a"])
    assert found.paths == {"/etc/shop"} and found.users == {"shop"} and found.kernels
    assert found.names == {"shopdb", "shop", "rows", kernel.name, latest.name, "6.1.0-9-amd64"}
    assert not theirs(Manifest("a", "deb", {}, (goes,)), THEN["a"], NOW["a"])


def test_of_a_partial_way_back_what_it_does_not_touch_is_foretold_as_it_is_or_was() -> None:
    def host(name: str, version: str, value: str) -> HostFacts:
        entries = (Entry("certificates", "/etc/ca-certificates.conf", value),)
        return replace(facts(name, (package("nova", version),)), areas=areas_of("deb"), entries=entries)

    then, now = host("a", "1", "file 1"), host("a", "2", "file 2")
    part = Manifest("a", "deb", {"only": "nova"}, (Change("nova", "all", "downgrade", "2", "nova", "1"),))
    end = {"a": foretell(then, now, part)}
    for value, equal in (("file 1", True), ("file 2", True), ("file 3", False)):
        assert verify({"a": then}, {"a": host("a", "1", value)}, foretold=end).equal == equal


def test_a_difference_is_a_line_with_before_and_after() -> None:
    head, line, *_ = differences_in_text(verify(THEN, NOW).differences).splitlines()
    assert "before" in head
    assert line.split() == ["a", "packages", "nova:all", "1", "installed", "->", "2", "installed"]
