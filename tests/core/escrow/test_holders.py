"""Who holds copies: what was written down is found by another process, the later record counts, a flipped bit makes none count."""

from pathlib import Path

import pytest

from nornir_upgrade.core.escrow.holders import Holders
from nornir_upgrade.core.store import Store

A, B, C = (letter * 64 for letter in "abc")


@pytest.fixture
def holders(tmp_path: Path) -> Holders:
    return Holders(tmp_path / "holders")


def again(holders: Holders) -> Holders:
    """What another process finds."""
    return Holders(holders.records.root)


def test_what_was_added_and_removed_is_known_to_another_process(holders: Holders) -> None:
    holders.add("cmp2", {A, B}), holders.add("cmp1", {A}), holders.add("cmp1", {C}), holders.remove("cmp2", {B, C})
    for seen in (holders, again(holders)):
        assert (seen.of(A), seen.of(B), seen.of(C)) == (("cmp1", "cmp2"), (), ("cmp1",))
        assert seen.on("cmp1") == {A, C} and seen.on("nobody") == frozenset()
        assert [(one.host, one.digests) for one in seen.list()] == [("cmp1", (A, C)), ("cmp2", (A,))]
    assert len(list(holders.records.digests())) == 2
    holders.remove("cmp1", {A, C})
    assert [one.host for one in again(holders).list()] == ["cmp2"]


def test_of_two_records_the_later_counts(holders: Holders, monkeypatch: pytest.MonkeyPatch) -> None:
    """The controller was killed between the new record and the end of the old one."""
    monkeypatch.setattr(Store, "remove", lambda *_: None)
    for digests in ({A, B}, {C}):
        holders.add("cmp1", digests)
    holders.remove("cmp1", {B, C})
    assert again(holders).on("cmp1") == {A} and len(list(holders.records.digests())) == 3
    monkeypatch.undo()
    one = again(holders)
    one.add("cmp1", {C})
    assert again(one).on("cmp1") == {A, C} and len(list(one.records.digests())) == 1


def test_nothing_is_written_where_nothing_changes(holders: Holders) -> None:
    holders.add("cmp1", {A})
    (before,) = holders.list()
    holders.add("cmp1", {A}), holders.remove("cmp1", {B}), holders.add("cmp2", ())
    assert holders.list() == (before,)


def test_a_flipped_bit_in_a_record_is_told_and_nothing_of_it_counts(holders: Holders) -> None:
    holders.add("cmp1", {A}), holders.add("cmp2", {A})
    path = next(holders.records.root.glob("??/*"))
    data = bytearray(path.read_bytes())
    data[7] ^= 1
    path.write_bytes(data)
    seen = again(holders)
    assert len(seen.of(A)) == 1
    (said,) = seen.damage()
    assert path.name in said and "record of what a host keeps" in said
