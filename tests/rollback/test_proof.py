"""The comparison after a way back."""

from dataclasses import replace

from nornir_upgrade.core.facts import Database, Entry
from nornir_upgrade.core.registries import areas_of
from rollback.others import Others
from rollback.proof import differences_in_text, explained_in_text, prove, table

from .factory import facts, package

THEN = {"a": facts("a", (package("nova", "1"),), databases=(Database("nova", "1"),)), "b": facts("b")}
NOW = {"a": facts("a", (package("nova", "2"),), databases=(Database("nova", "2"),)), "b": facts("b")}

ENTRY = Entry("etc", "/etc/hosts", "file 0644 0:0 1")


def test_databases_count_unless_nobody_asked_for_them() -> None:
    assert [one.area for one in prove(THEN, NOW).differences] == ["packages", "databases"]
    unasked = prove(THEN, NOW, databases=False)
    assert [one.area for one in unasked.differences] == ["packages"]
    assert [one.area for one in unasked.expected] == ["databases"]
    assert not unasked.equal and prove(THEN, THEN).equal


def test_the_table_has_every_area_and_host_and_counts_what_differs_expected_or_not() -> None:
    rows = {line.split()[0]: line.split()[1:] for line in table(prove(THEN, NOW, databases=False)).splitlines()[1:]}
    assert rows["packages"] == ["1", "differ", "equal", "(0)"]
    assert rows["databases"] == ["1", "differ", "not", "compared"]
    assert rows["marks"] == ["equal", "(1)", "equal", "(0)"]
    assert all(rows[area] == ["equal", "(0)"] * 2 for area in ("holds", "conffiles", "services", "repositories"))


def test_where_nobody_looked_nothing_is_said_to_be_equal() -> None:
    """No database was looked at, and an older snapshot tells of nothing beside packages."""
    old, new = {"a": facts("a")}, {"a": replace(facts("a"), areas=areas_of("deb"), entries=(ENTRY,))}
    rows = {line.split()[0]: line.split()[1:] for line in table(prove(old, new)).splitlines()[1:]}
    assert all(rows[area] == ["not", "compared"] for area in ("databases", "etc", "accounts", "boot"))
    assert prove(old, new).equal
    rows = {line.split()[0]: line.split()[1:] for line in table(prove(new, new)).splitlines()[1:]}
    assert rows["etc"] == ["equal", "(1)"] and rows["accounts"] == ["equal", "(0)"]
    assert rows["databases"] == ["not", "compared"]


def test_what_a_rule_explains_is_counted_and_told_and_no_difference() -> None:
    then, now = (
        {"a": replace(facts("a"), areas=areas_of("deb"), entries=(Entry("etc", "/etc/ld.so.cache", value), ENTRY))}
        for value in ("file 1", "file 2")
    )
    proof = prove(then, now)
    assert proof.equal and [one.name for one in proof.explained] == ["/etc/ld.so.cache"]
    assert "1 explained" in explained_in_text(proof.explained) and "ldconfig" in explained_in_text(proof.explained)


def test_what_others_changed_since_is_told_and_counts_as_announced() -> None:
    then, now = (
        {"a": replace(facts("a"), areas=areas_of("deb"), entries=(Entry("etc", "/etc/motd", value), ENTRY))}
        for value in ("file 1", "file 2")
    )
    assert not prove(then, now).equal
    proof = prove(then, now, others={"a": Others(stays=("/etc/motd",))})
    assert proof.equal and [one.name for one in proof.expected] == ["/etc/motd"]
    assert not prove(then, now, others={"a": Others(stays=("/etc/other",))}).equal


def test_a_difference_is_a_line_with_before_and_after() -> None:
    head, line, *_ = differences_in_text(prove(THEN, NOW).differences).splitlines()
    assert "before" in head
    assert line.split() == ["a", "packages", "nova:all", "1", "installed", "->", "2", "installed"]
