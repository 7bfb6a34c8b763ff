"""The comparison after a way back."""

from nornir_upgrade.core.facts import Database
from rollback.proof import differences_in_text, prove, table

from .factory import facts, package

THEN = {"a": facts("a", (package("nova", "1"),), databases=(Database("nova", "1"),)), "b": facts("b")}
NOW = {"a": facts("a", (package("nova", "2"),), databases=(Database("nova", "2"),)), "b": facts("b")}


def test_databases_count_unless_nobody_asked_for_them() -> None:
    assert [one.area for one in prove(THEN, NOW).differences] == ["packages", "databases"]
    unasked = prove(THEN, NOW, databases=False)
    assert [one.area for one in unasked.differences] == ["packages"]
    assert [one.area for one in unasked.expected] == ["databases"]
    assert not unasked.equal and prove(THEN, THEN).equal


def test_the_table_has_every_area_and_host_and_counts_what_differs_expected_or_not() -> None:
    rows = {line.split()[0]: line.split()[1:] for line in table(prove(THEN, NOW, databases=False)).splitlines()[1:]}
    assert rows["packages"] == rows["databases"] == ["1", "differ", "equal"]
    assert all(rows[area] == ["equal", "equal"] for area in ("marks", "holds", "conffiles", "services", "repositories"))


def test_a_difference_is_a_line_with_before_and_after() -> None:
    head, line, *_ = differences_in_text(prove(THEN, NOW).differences).splitlines()
    assert "before" in head
    assert line.split() == ["a", "packages", "nova:all", "1", "installed", "->", "2", "installed"]
