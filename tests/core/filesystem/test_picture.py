"""Pictures: packed and unpacked whole whatever their names, and compared aspect by aspect."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nornir_upgrade.core.errors import InvalidInput
from nornir_upgrade.core.filesystem.mounts import LeftOut
from nornir_upgrade.core.filesystem.picture import KINDS, Head, PathState, Picture, compare, pack, unpack

HEAD = Head(roots=("/",), xattrs="python3")
FILE = PathState("f", "0644", "0:0", "a" * 64)

# Every byte but NUL and, in a name, the slash that divides names: Python holds what is no UTF-8 as surrogates.
names = st.binary(min_size=1, max_size=12).map(
    lambda data: "/" + data.replace(b"\0", b"\n").decode("utf-8", "surrogateescape")
)
entries = st.builds(
    PathState,
    kind=st.sampled_from(sorted(KINDS)),
    mode=st.sampled_from(("0644", "4755")),
    owner=st.sampled_from(("0:0", "33:4")),
    digest=st.sampled_from(("", "a" * 64, "b" * 64)),
    meaning=st.sampled_from(("", "c" * 64)),
    device=st.sampled_from(("", "8:1")),
    late=st.booleans(),
    xattrs=st.sampled_from(("", "user.a%20b=00,user.c=ff")),
    target=st.one_of(st.just(""), names, st.just("a b - c")),
)
contents = st.dictionaries(names, entries, max_size=6)


def picture(files: dict[str, PathState], **more: Any) -> Picture:
    return Picture(replace(HEAD, **more), {path: entry.record() for path, entry in files.items()})


@given(entries)
def test_an_entry_comes_back_from_its_record(entry: PathState) -> None:
    assert PathState.read(entry.record()) == entry


@given(contents)
def test_a_picture_comes_back_whole_and_packs_alike_in_any_order(files: dict[str, PathState]) -> None:
    made = picture(files, left_out=(LeftOut("/nas", "nfs"),), vanished=2)
    assert unpack(pack(made), "x") == made
    assert pack(picture(dict(reversed(files.items())), left_out=(LeftOut("/nas", "nfs"),), vanished=2)) == pack(made)


@given(contents, contents)
def test_each_path_that_differs_is_told_once_and_no_other(
    one: dict[str, PathState], other: dict[str, PathState]
) -> None:
    found = compare(picture(one), picture(other))
    told = [change.path for change in found.changes]
    assert told == sorted(set(told))
    assert found.paths == len(one.keys() | other.keys())
    seen = {path for path in one.keys() | other.keys() if _seen(one.get(path)) != _seen(other.get(path))}
    assert set(told) <= seen <= {*told, *found.unread}
    assert one.keys() ^ other.keys() <= {*told}


@given(contents)
def test_a_picture_does_not_differ_from_itself(files: dict[str, PathState]) -> None:
    assert compare(picture(files), picture(files)).changes == ()


def _seen(entry: PathState | None) -> PathState | None:
    return entry and replace(entry, late=False, meaning="")


@pytest.mark.parametrize(
    ("after", "aspects"),
    [
        (None, ("presence",)),
        (PathState("l", "0777", "0:0", target="x"), ("kind",)),
        (replace(FILE, digest="b" * 64), ("content",)),
        (replace(FILE, mode="0600"), ("mode",)),
        (replace(FILE, owner="0:4"), ("owner",)),
        (replace(FILE, xattrs="security.capability=01"), ("xattrs",)),
        (replace(FILE, digest="b" * 64, mode="0600"), ("content", "mode")),
        (replace(FILE, late=True), ()),
    ],
)
def test_what_differs_is_told_by_aspect(after: PathState | None, aspects: tuple[str, ...]) -> None:
    found = compare(picture({"/a": FILE}), picture({"/a": after} if after else {}))
    assert tuple(change.aspects for change in found.changes) == ((aspects,) if aspects else ())


def test_a_link_and_a_device_are_compared_by_what_they_lead_to() -> None:
    links = {"/l": PathState("l", "0777", "0:0", target="a"), "/d": PathState("b", "0660", "0:6", device="8:1")}
    others = {"/l": replace(links["/l"], target="b"), "/d": replace(links["/d"], device="8:2")}
    assert [one.aspects for one in compare(picture(links), picture(others)).changes] == [("device",), ("target",)]


def test_a_file_that_one_side_could_not_read_is_told_as_not_compared_and_its_mode_still_is() -> None:
    found = compare(picture({"/a": FILE}), picture({"/a": replace(FILE, digest="", mode="0600")}))
    assert (found.unread, found.changes[0].aspects) == (("/a",), ("mode",))


def test_extended_attributes_that_one_side_could_not_read_are_not_compared() -> None:
    with_them = picture({"/a": replace(FILE, xattrs="user.x=00")})
    assert compare(with_them, picture({"/a": FILE}, xattrs="")).changes == ()
    assert len(compare(with_them, picture({"/a": FILE})).changes) == 1


def test_a_file_system_that_only_one_side_looked_at_is_not_compared() -> None:
    looked = picture({"/data/a": FILE, "/database": FILE}, roots=("/", "/data"))
    assert [one.path for one in compare(looked, picture({}, left_out=(LeftOut("/data", "nfs"),))).changes] == [
        "/database"
    ]


@pytest.mark.parametrize(
    "data",
    [b"", b"x", pack(picture({}, format="2.0")), pack(picture({"/a": FILE}))[:-3], pack(Picture(HEAD, {"/a": ""}))],
)
def test_what_is_no_picture_is_refused_by_name(data: bytes) -> None:
    with pytest.raises(InvalidInput, match=r"snapshot s|not a record"):
        compare(unpack(data, "snapshot s"), picture({"/a": FILE}))
