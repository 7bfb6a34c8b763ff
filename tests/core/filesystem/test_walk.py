"""The walk, run on this machine over a directory of the test: odd names, odd files, and what changes meanwhile."""

import os
import shutil
import stat
import subprocess
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

import pytest

from nornir_upgrade.core.errors import CommandFailed, DiskFull, InvalidInput
from nornir_upgrade.core.filesystem import mounts, walk
from nornir_upgrade.core.filesystem.mounts import Choice, LeftOut
from nornir_upgrade.core.filesystem.picture import Picture
from nornir_upgrade.core.transport.host import Result
from tests.core.local import LocalHost

ODD = (b"a\nb", b"tab\t", b"\xff\xfe", b"back\\slash", b"- -e", b"'\"$`", b" ", "ü€".encode())


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    root = tmp_path / "root"
    root.mkdir()
    return root


@pytest.fixture
def host(tmp_path: Path, tree: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[LocalHost]:
    """This machine, as if the tree were all of it."""
    directory = str(tmp_path / "lists")
    monkeypatch.setattr(walk, "DIRECTORY", directory)
    monkeypatch.setattr(walk.commands, "__defaults__", (directory,))
    monkeypatch.setattr(mounts, "choose", lambda _: Choice((str(tree),), (LeftOut(f"{tree}/nas", "nfs"),)))
    yield LocalHost(tmp_path / "jobs")
    assert not Path(directory).exists()


def take(host: LocalHost, tree: Path, *meanings: tuple[str, str]) -> dict[str, str]:
    """The records by their place in the tree."""
    found = walk.take(host, [(str(tree / path), how) for path, how in meanings])
    return {path.removeprefix(str(tree)): record for path, record in found.records.items()}


def entry(picture: Picture, path: Path) -> tuple[str, str, str, str]:
    found = picture.entry(str(path))
    assert found
    return found.kind, found.mode, found.digest, found.target


def test_every_kind_of_file_is_told_with_what_makes_it(host: LocalHost, tree: Path) -> None:
    (tree / "file").write_bytes(b"text")
    (tree / "file").chmod(0o4750)
    (tree / "directory").mkdir(mode=0o1777)
    (tree / "directory").chmod(0o1777)
    (tree / "link").symlink_to("a b\nc")
    os.mkfifo(tree / "pipe", 0o600)
    picture = walk.take(host)
    assert picture.head.roots == (str(tree),)
    assert entry(picture, tree / "file") == ("f", "4750", sha256(b"text").hexdigest(), "")
    assert entry(picture, tree / "directory") == ("d", "1777", "", "")
    assert entry(picture, tree / "link") == ("l", "0777", "", "a b\nc")
    assert entry(picture, tree / "pipe") == ("p", "0600", "", "")
    owner = f"{os.geteuid()}:{os.getegid()}"
    assert picture.records.keys() == {str(tree)} | {str(one) for one in tree.iterdir()}
    assert all((found := picture.entry(path)) and found.owner == owner for path in picture.records)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root makes device nodes")
def test_a_device_is_told_by_its_numbers(host: LocalHost, tree: Path) -> None:
    try:
        os.mknod(tree / "node", 0o600 | stat.S_IFCHR, os.makedev(1, 3))
    except PermissionError:
        pytest.skip("this machine lets nobody make device nodes")
    assert " 1:3 " in take(host, tree)["/node"]


def test_odd_names_survive(host: LocalHost, tree: Path) -> None:
    for number, name in enumerate(ODD):
        Path(os.fsdecode(os.fsencode(tree) + b"/" + name)).write_bytes(b"%d" % number)
    found = take(host, tree)
    for number, name in enumerate(ODD):
        assert sha256(b"%d" % number).hexdigest() in found["/" + os.fsdecode(name)]


def test_a_mount_point_that_is_left_out_is_in_no_picture(host: LocalHost, tree: Path) -> None:
    (tree / "nas").mkdir()
    assert "/nas" not in take(host, tree)


def test_what_a_file_says_does_not_depend_on_the_order_of_its_stanzas(host: LocalHost, tree: Path) -> None:
    texts = {"a": "P: 1\nV: 2\n\nP: 3\n", "b": "P: 3\n\nP: 1\nV: 2\n\n", "c": "P: 1\n\nV: 2\nP: 3\n"}
    for name, text in texts.items():
        (tree / name).write_text(text)
    picture = walk.take(host, [(str(tree / name), "stanzas") for name in (*texts, "absent")])
    a, b, c = (picture.entry(str(tree / name)) for name in texts)
    assert a and b and c
    assert a.digest != b.digest and a.meaning == b.meaning != c.meaning != ""


def test_a_file_that_cannot_be_read_costs_itself_alone(
    host: LocalHost, tree: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between the list and the reading one vanishes, and one becomes a directory, which sha256sum cannot read either."""
    for name in ("gone", "turned", "stays"):
        (tree / name).write_text(name)
    meddle = 'rm "$0/gone" "$0/turned"; mkdir "$0/turned"'
    between = ("sh", "-c", meddle, str(tree))
    first, *rest = walk.commands((str(tree),), ())
    monkeypatch.setattr(walk, "commands", lambda *_: (first, between, *rest))
    picture = walk.take(host)
    assert str(tree / "gone") not in picture.records
    assert picture.head.vanished == 1
    assert entry(picture, tree / "turned") == ("f", "0644", "", "")
    assert entry(picture, tree / "stays")[2] == sha256(b"stays").hexdigest()


def test_a_file_that_changes_while_it_is_read_is_told_so(
    host: LocalHost, tree: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("changes", "stays"):
        (tree / name).write_text(name)
    first, *rest = walk.commands((str(tree),), ())
    between = ("sh", "-c", 'sleep 0.1; echo more >>"$0/changes"', str(tree))
    monkeypatch.setattr(walk, "commands", lambda *_: (first, between, *rest))
    picture = walk.take(host)
    found = {name: picture.entry(str(tree / name)) for name in ("changes", "stays")}
    assert {name: one.late for name, one in found.items() if one} == {"changes": True, "stays": False}


def test_extended_attributes_are_told_alike_by_python_and_by_getfattr(host: LocalHost, tree: Path) -> None:
    odd = tree / "a\nb=\\"
    odd.write_text("x")
    try:
        os.setxattr(odd, "user.a=b\n", b"\0\xff")
        os.setxattr(odd, "user.empty", b"")
    except OSError as error:
        pytest.skip(f"{tree}: {error.strerror}")
    picture = walk.take(host)
    found = picture.entry(str(odd))
    assert found and picture.head.xattrs
    assert [one for one in found.xattrs.split(",") if one.startswith("user.")] == ["user.a%3Db%0A=00ff", "user.empty="]
    said = b"# file: /a\\012b=\\134\nuser.a\\075b\\012=0x00ff\nuser.empty\n\n# file: /c\nuser.x=0x01\n\n"
    assert walk._from_getfattr(said) == {"/a\nb=\\": "user.a%3Db%0A=00ff,user.empty=", "/c": "user.x=01"}


def test_getfattr_itself_writes_what_is_understood(tree: Path) -> None:
    if not shutil.which("getfattr"):
        pytest.skip("this machine has no getfattr")
    odd = tree / "a\nb=\\"
    odd.write_text("x")
    os.setxattr(odd, "user.a=b\n", b"\0\xff")
    argv = ("getfattr", "-h", "-d", "-m", "-", "-e", "hex", "--absolute-names", "--", str(odd))
    said = subprocess.run(argv, check=True, capture_output=True).stdout
    assert "user.a%3Db%0A=00ff" in walk._from_getfattr(said)[str(odd)]


def test_a_host_with_neither_getfattr_nor_python_says_that_attributes_were_not_read() -> None:
    lists = dict.fromkeys(walk._LISTS, b"")
    assert walk.parse(lists, Choice(("/",), ())).head.xattrs == ""
    assert walk.parse(lists | {"xattrs.by": b"getfattr\n"}, Choice(("/",), ())).head.xattrs == "getfattr"


@pytest.mark.parametrize(
    "broken", [{"entries": b"/a\0f\0"}, {"entries": b"/a"}, {"digests": b"00  /a\0"}, {"devices": b"/a\0"}]
)
def test_a_list_that_is_cut_off_is_refused(broken: dict[str, bytes]) -> None:
    with pytest.raises(InvalidInput, match=r"cut off|not a digest"):
        walk.parse(dict.fromkeys(walk._LISTS, b"") | broken, Choice(("/",), ()))


def test_an_archive_that_is_cut_off_is_refused(host: LocalHost, tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pack = 'cd "$0" && tar -c entries digests | gzip | head -c 40 >picture.tar.gz'
    *rest, _ = walk.commands((str(tree),), ())
    monkeypatch.setattr(walk, "commands", lambda *_: (*rest, ("sh", "-c", pack, walk.DIRECTORY)))
    with pytest.raises(InvalidInput, match="the picture is incomplete"):
        walk.take(host)


@pytest.mark.parametrize(
    ("said", "kind"), [("find: entries: No space left on device", DiskFull), ("find: nonsense", CommandFailed)]
)
def test_a_walk_that_fails_says_why_and_leaves_nothing(
    host: LocalHost, tree: Path, monkeypatch: pytest.MonkeyPatch, said: str, kind: type[Exception]
) -> None:
    monkeypatch.setattr(host, "job", lambda *_, **__: Result(1, f"{said}\n".encode(), b""))
    with pytest.raises(kind, match=said):
        walk.take(host)


def test_progress_is_told_while_the_job_runs(host: LocalHost, tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tree / "file").write_text("x")
    monkeypatch.setattr(walk, "_PAUSE", 0.3)
    first, *rest = walk.commands((str(tree),), ())
    monkeypatch.setattr(walk, "commands", lambda *_: (first, ("sleep", "1"), *rest))
    told: list[walk.WalkProgress] = []
    walk.take(host, (), told.append)
    assert walk.WalkProgress("here", 0, 1) in told
