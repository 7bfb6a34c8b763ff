"""Errands: each thing is fetched once, from the host of the best rank, and hosts have alike to do."""

from nornir_upgrade.core.errands import errands


def test_each_thing_is_fetched_once_and_hosts_have_alike_to_do() -> None:
    able = {host: dict.fromkeys("abcd", 0) for host in ("one", "two")}
    assert errands(able, "abcd") == {"one": ["a", "c"], "two": ["b", "d"]}


def test_the_best_rank_counts_before_what_a_host_has_to_do() -> None:
    able = {"cached": dict.fromkeys("abc", 0), "idle": dict.fromkeys("abc", 1)}
    assert errands(able, "abc") == {"cached": ["a", "b", "c"]}


def test_large_things_are_dealt_out_first() -> None:
    able = {host: dict.fromkeys("abc", 0) for host in ("one", "two")}
    assert errands(able, "abc", sizes={"a": 1, "b": 2, "c": 9}) == {"one": ["c"], "two": ["b", "a"]}


def test_without_spread_few_hosts_are_asked() -> None:
    able = {"one": dict.fromkeys("abc", -3), "two": dict.fromkeys("abc", -3), "odd": {"d": -1}}
    assert errands(able, "abcd", spread=False) == {"one": ["a", "b", "c"], "odd": ["d"]}


def test_what_no_host_has_is_no_errand() -> None:
    assert errands({"one": {"a": 0}}, "ab") == {"one": ["a"]}
    assert errands({}, "ab") == {}
