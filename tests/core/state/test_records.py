"""Files of records: accounts, overrides and answers, of which some go back and others stay."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nornir_upgrade.core.state.places import Records
from nornir_upgrade.core.state.records import added, joined, records, returned, told_of

KINDS: tuple[Records, ...] = ("colon", "path", "stanza")
_names = st.dictionaries(st.sampled_from("abcdef"), st.sampled_from("123"), max_size=5)


def file(kind: Records, values: dict[str, str]) -> bytes:
    shapes = {"colon": "{0}:x:{1}", "path": "root adm {1} /{0}", "stanza": "Name: {0}\nValue: {1}\nFlags: seen"}
    return joined((shapes[kind].format(name, value).encode() for name, value in values.items()), kind)


def values(kind: Records, data: bytes) -> dict[str, str]:
    texts = {
        name.decode().removeprefix("Name: ").lstrip("/"): one.decode() for name, one in records(data, kind).items()
    }
    return {name: next(sign for sign in "123" if f"{sign}" in text.replace(name, "")) for name, text in texts.items()}


@pytest.mark.parametrize("kind", KINDS)
@given(now=_names, then=_names)
def test_ahead_nothing_is_taken_away_and_nothing_of_what_was_is_missing(
    kind: Records, now: dict[str, str], then: dict[str, str]
) -> None:
    found = values(kind, added(file(kind, now), file(kind, then), kind))
    assert found == ({**now, **then} if kind == "stanza" else {**then, **now})
    assert added(file(kind, now), file(kind, now), kind) == file(kind, now)


@pytest.mark.parametrize("kind", KINDS)
@given(then=_names, end=_names, now=_names, keep=st.booleans())
def test_back_goes_what_the_run_changed_and_what_others_changed_stays(
    kind: Records, then: dict[str, str], end: dict[str, str], now: dict[str, str], keep: bool
) -> None:
    found = values(kind, returned(file(kind, then), file(kind, end), file(kind, now), kind, keep=lambda _: keep))
    for name in {*then, *end, *now}:
        untouched = now.get(name) == end.get(name)
        wanted = then.get(name) if untouched else now.get(name)
        if keep and name not in then:
            wanted = now.get(name)
        elif name not in then and name in end and name in now:
            wanted = None  # the run brought it, whoever changed it since
        assert found.get(name) == wanted, name


@pytest.mark.parametrize("kind", KINDS)
@given(then=_names, end=_names)
def test_where_nobody_else_changed_anything_the_bytes_come_back(
    kind: Records, then: dict[str, str], end: dict[str, str]
) -> None:
    data = b"\n" + file(kind, then)  # an empty line is none of the records, and comes back with them
    assert returned(data, file(kind, end), file(kind, end), kind) == data


def test_a_comment_is_a_record_of_its_own() -> None:
    data = b"# system accounts\nroot:x:0\n"
    assert returned(data, data, data + b"ada:x:9\n", "colon") == data + b"ada:x:9\n"


@pytest.mark.parametrize("kind", KINDS)
@given(then=_names, end=_names, met=_names, now=_names)
def test_what_scripts_of_the_way_back_wrote_is_nobodys_change(
    kind: Records, then: dict[str, str], end: dict[str, str], met: dict[str, str], now: dict[str, str]
) -> None:
    data = returned(file(kind, then), file(kind, end), file(kind, now), kind, met=file(kind, met))
    found = values(kind, data)
    for name in {*then, *end, *met, *now}:
        if met.get(name) == end.get(name):
            assert found.get(name) == then.get(name), name
        elif name not in now:
            assert name not in found, "it went with its package"
        elif name in then or name not in end:
            assert found.get(name) == met.get(name), name


@pytest.mark.parametrize(
    ("record", "kind", "theirs"),
    [
        ("clock:x:995:", "colon", False),
        ("redis:x:110:118::/var/lib/redis:/usr/sbin/nologin", "colon", True),
        ("ada:x:1000:1000:keeps redis:/home/ada:/bin/sh", "colon", False),
        ("Name: redis/port\nTemplate: redis/port\nValue: 1\nOwners: redis-server", "stanza", True),
        ("Name: shared/port\nTemplate: shared/port\nOwners: other, redis-server", "stanza", True),
        ("Name: other/port\nDescription: as redis has it\nOwners: other", "stanza", False),
        ("redis redis 2770 /var/log/nobody", "path", True),
        ("root root 2770 /etc/rediscover", "path", False),
        ("root root 2770 /etc/redis/redis.conf", "path", True),
    ],
)
def test_a_record_is_told_of_packages_that_stay_by_whose_it_is(record: str, kind: Records, theirs: bool) -> None:
    assert told_of(record.encode(), kind, ("redis", "redis-server")) is theirs
