"""Batches: every host once, a canary first, growing, and a majority always left."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nornir_upgrade.core.batches import batches, sizes, spared
from nornir_upgrade.core.errors import InvalidInput

HOSTS = st.integers(0, 60).map(lambda count: [f"h{number}" for number in range(count)])
SERIALS = st.one_of(
    st.lists(st.integers(1, 20), min_size=1, max_size=4).map(lambda some: ",".join(map(str, sorted(some)))),
    st.lists(st.integers(1, 100), min_size=1, max_size=4).map(lambda some: ",".join(f"{n}%" for n in sorted(some))),
    st.just("1,10%,100%"),
)


@given(HOSTS, SERIALS)
def test_each_host_once_in_order_and_never_smaller_batches(hosts: list[str], serial: str) -> None:
    found = batches(hosts, serial)
    assert [host for batch in found for host in batch] == hosts
    lengths = [len(batch) for batch in found]
    assert lengths[:-1] == sorted(lengths[:-1])
    assert all(lengths)


@given(HOSTS, SERIALS, st.data())
def test_a_majority_stays(hosts: list[str], serial: str, data: st.DataObject) -> None:
    members = data.draw(st.lists(st.sampled_from(hosts), unique=True)) if hosts else []
    away = [f"elsewhere{number}" for number in range(data.draw(st.integers(0, 3)))]
    found = batches(hosts, serial, quorums={"db": [*members, *away], "empty": []})
    assert sorted(host for batch in found for host in batch) == sorted(hosts)
    whole = len(members) + len(away)
    for batch in found:
        taken = len(set(batch) & set(members))
        assert taken <= spared(whole)
        assert whole < 3 or whole - taken > whole / 2


@pytest.mark.parametrize(("members", "away"), [(1, 1), (2, 1), (3, 1), (4, 1), (5, 2), (7, 3)])
def test_what_a_quorum_can_do_without(members: int, away: int) -> None:
    assert spared(members) == away


def test_a_canary_then_growing() -> None:
    hosts = [f"h{number}" for number in range(40)]
    assert [len(batch) for batch in batches(hosts, "1,10%,100%")] == [1, 4, 35]
    assert [len(batch) for batch in batches(hosts, "5,10%")] == [5] * 8


@pytest.mark.parametrize("serial", ["", "0", "0%", "101%", "-1", "1,,2", "ten", "1.5", "٣", "5,1", "50%,10%", "1;2"])
def test_no_sizes(serial: str) -> None:
    with pytest.raises(InvalidInput, match="serial") as refusal:
        sizes(serial)
    assert "1,10%,100%" in refusal.value.hint
