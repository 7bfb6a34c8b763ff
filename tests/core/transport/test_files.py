"""The scripts that tell and change files, run on this machine, and the parsers of what they print."""

import io
import os
import socket
from hashlib import sha256
from pathlib import Path

import pytest

from nornir_upgrade.core.errors import CommandFailed, InvalidInput
from nornir_upgrade.core.transport import files
from nornir_upgrade.core.transport.host import FileState, Result
from tests.core.local import ME, MINE, LocalHost

ODD_NAMES = [
    "two words",
    "new\nline",
    "-rf",
    "back\\slash\\n\\101",
    "tail\\",
    "\udcff\udcfe",
    "'\"$(id)",
    "*",
    "ü",
    "end\n",
]
DATA = bytes(range(256))


@pytest.fixture
def here(tmp_path: Path) -> LocalHost:
    return LocalHost(tmp_path / "jobs")


@pytest.fixture
def place(tmp_path: Path) -> Path:
    directory = tmp_path / "place"
    directory.mkdir(mode=0o755)
    return directory


def state(path: Path | str, mode: str, data: bytes) -> FileState:
    return FileState(str(path), "file", mode, ME, MINE, sha256(data).hexdigest())


def put(here: LocalHost, path: Path | str, data: bytes, mode: str = "0640") -> None:
    here.write(str(path), data, mode=mode, owner=ME, group=MINE)


# ---------------------------------------------------------------------- telling


@pytest.mark.parametrize("name", ODD_NAMES)
def test_odd_names_are_told_read_and_written(here: LocalHost, place: Path, name: str) -> None:
    path = f"{place}/{name}"
    put(here, path, DATA)
    assert here.stat((path,)) == (state(path, "0640", DATA),)
    assert here.tree((path,)) == (state(path, "0640", DATA),)
    assert here.read_many((path,)) == {path: DATA}
    assert here.read(path) == DATA
    here.place(FileState(path, "absent"))
    assert list(place.iterdir()) == []


@pytest.mark.parametrize("name", ODD_NAMES)
def test_odd_directories_can_be_written_into(here: LocalHost, place: Path, name: str) -> None:
    os.mkdir(f"{place}/{name}")  # noqa: PTH102, a Path would not keep these names as they are
    put(here, f"{place}/{name}/file", b"x")
    assert os.listdir(f"{place}/{name}") == ["file"]  # noqa: PTH208


def test_links_are_told_and_not_followed(here: LocalHost, place: Path) -> None:
    link = place / "link"
    link.symlink_to("no where\n/é")
    assert here.tree((str(link),)) == (FileState(str(link), "symlink", "", ME, MINE, target="no where\n/é"),)
    assert here.read_many((str(link),)) == {}


def test_a_path_below_a_file_is_absent(here: LocalHost, place: Path) -> None:
    (place / "file").write_bytes(b"")
    path = f"{place}/file/below"
    assert here.stat((path,)) == (FileState(path, "absent"),)
    assert here.read_many((path, f"{place}/file")) == {f"{place}/file": b""}


def test_two_names_of_one_file_are_both_read(here: LocalHost, place: Path) -> None:
    (place / "a").write_bytes(DATA)
    (place / "b").hardlink_to(place / "a")
    assert here.read_many((f"{place}/a", f"{place}/b")) == {f"{place}/a": DATA, f"{place}/b": DATA}


def test_more_files_than_one_command_line_holds(here: LocalHost, place: Path) -> None:
    paths = [f"{place}/{'x' * 200}{number}" for number in range(1500)]
    for path in paths[::50]:
        Path(path).write_bytes(path.encode())
    told = here.stat(paths)
    assert [one.path for one in told] == paths
    assert [one.path for one in told if one.kind == "file"] == paths[::50]
    assert here.read_many(paths) == {path: path.encode() for path in paths[::50]}


def test_sockets_and_pipes_are_refused_in_trees_and_left_out_of_reading(
    here: LocalHost, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    os.mkfifo(place / "p")
    with pytest.raises(InvalidInput, match="named pipe"):
        here.tree((str(place),))
    (place / "p").unlink()
    monkeypatch.chdir(place)  # the name of a socket may not be long
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind("s")
        with pytest.raises(InvalidInput, match="socket"):
            here.stat((f"{place}/s",))
        assert here.read_many((f"{place}/s",)) == {}


@pytest.mark.parametrize("path", ["relative", "", "-x", "/a\0b"])
def test_paths_that_are_not_absolute_are_refused(here: LocalHost, path: str) -> None:
    for ask in (lambda: here.stat((path,)), lambda: here.read(path), lambda: here.read_many((path,))):
        with pytest.raises(InvalidInput):
            ask()
    assert here.commands == 0


def test_what_find_complains_of_is_no_absence() -> None:
    denied = Result(0, b"\0", b"find: '/root/x': Permission denied\n")
    with pytest.raises(CommandFailed, match="Permission denied"):
        files.parse_look("h", denied)


@pytest.mark.parametrize(
    "text", [b"", b"/a\0f\x00644", b"/a\0f\x00644\0root\0root\0\0", b"/a\0f\x00644\0root\0root\0\0\0" + b"0" * 64]
)
def test_an_answer_that_is_cut_off_is_refused(text: bytes) -> None:
    with pytest.raises(InvalidInput):
        files.parse_look("h", Result(0, text, b""))


def test_a_tar_stream_that_is_cut_off_is_refused(here: LocalHost, place: Path) -> None:
    (place / "f").write_bytes(b"x" * 5000)
    argv, stdin = files.read_many([f"{place}/f"])
    whole = here.run(argv, stdin=stdin).stdout
    with pytest.raises(InvalidInput):
        files.parse_read_many("h", Result(0, whole[:3000], b""))


# ---------------------------------------------------------------------- changing


def test_what_came_only_in_part_is_not_put_in_place(here: LocalHost, place: Path) -> None:
    (place / "file").write_bytes(b"old")
    argv = files.put_argv(f"{place}/file", 10, mode="0644", owner=ME, group=MINE)
    result = here.run(argv, stdin=b"only five"[:5], check=False)
    assert result.status != 0 and b"only in part" in result.stderr
    assert [(path.name, path.read_bytes()) for path in place.iterdir()] == [("file", b"old")]


@pytest.mark.parametrize("mode", ["0600", "0644", "4755", "2750", "1666"])
def test_modes_arrive_with_all_their_bits(here: LocalHost, place: Path, mode: str) -> None:
    put(here, place / "file", b"x", mode)
    assert f"{(place / 'file').stat().st_mode & 0o7777:04o}" == mode


def test_a_directory_loses_bits_that_are_not_wanted(here: LocalHost, place: Path) -> None:
    for mode in ("2770", "0700"):
        here.place(FileState(f"{place}/d", "directory", mode, ME, MINE))
        assert f"{(place / 'd').stat().st_mode & 0o7777:04o}" == mode


def test_a_link_replaces_a_link_to_a_directory_and_is_not_put_into_it(here: LocalHost, place: Path) -> None:
    (place / "d").mkdir()
    for target in ("d", "other", "-n"):
        here.place(FileState(f"{place}/link", "symlink", "", ME, MINE, target=target))
        assert os.readlink(place / "link") == target  # noqa: PTH115
    assert sorted(path.name for path in place.iterdir()) == ["d", "link"] and not list((place / "d").iterdir())


def test_a_file_is_not_written_over_a_directory(here: LocalHost, place: Path) -> None:
    (place / "d").mkdir()
    with pytest.raises(CommandFailed):
        put(here, place / "d", b"x")
    assert [path.name for path in place.iterdir()] == ["d"] and not list((place / "d").iterdir())


def test_a_directory_is_not_made_where_something_else_stands(here: LocalHost, place: Path) -> None:
    (place / "file").write_bytes(b"x")
    (place / "link").symlink_to(place)
    for name in ("file", "link"):
        with pytest.raises(CommandFailed):
            here.place(FileState(f"{place}/{name}", "directory", "0755", ME, MINE))
    assert (place / "file").read_bytes() == b"x" and (place / "link").is_symlink()


def test_a_links_owner_and_mode_are_not_given_to_its_target(here: LocalHost, place: Path) -> None:
    (place / "target").write_bytes(b"")
    (place / "target").chmod(0o600)
    (place / "link").symlink_to("target")
    with pytest.raises(CommandFailed, match="no regular file"):
        here.place(FileState(f"{place}/link", "file", "0666", ME, MINE))
    assert (place / "target").stat().st_mode & 0o777 == 0o600


def test_a_stream_is_uploaded_from_where_it_stands_and_downloaded_whole(here: LocalHost, place: Path) -> None:
    source = io.BytesIO(DATA * 9000)
    source.seek(100)
    here._put(source, f"{place}/file", "0600", ME, MINE)
    sink = io.BytesIO()
    here.download(f"{place}/file", sink)
    assert sink.getvalue() == (DATA * 9000)[100:]


@pytest.mark.parametrize(("mode", "owner"), [("+x", ME), ("99", ME), ("0644", "a:b"), ("0644", ""), ("0644", "-h")])
def test_modes_and_owners_that_are_none_are_refused(here: LocalHost, place: Path, mode: str, owner: str) -> None:
    with pytest.raises(InvalidInput):
        here.write(f"{place}/file", b"", mode=mode, owner=owner, group=MINE)
    assert here.commands == 0
