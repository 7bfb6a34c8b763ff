"""The store: whole or absent, private, verified."""

import errno
import os
import random
import stat
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import pytest

from nornir_upgrade.core.errors import DigestMismatch, DiskFull, Unobtainable
from nornir_upgrade.core.store import Store, digest_of


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store")


@pytest.mark.parametrize("data", [b"", b"x", bytes(range(256)) * 9000])
def test_what_was_kept_comes_back(store: Store, data: bytes) -> None:
    digest = store.put(data)
    assert digest == digest_of(data) and digest in store
    assert store.get(digest) == data
    assert store.put(data) == digest


def test_everything_is_private(store: Store) -> None:
    mask = os.umask(0)
    try:
        store.put(b"secret")
    finally:
        os.umask(mask)
    modes = {stat.S_IMODE(path.stat().st_mode) for path in store.root.rglob("*") if path.is_file()}
    assert modes == {0o600}
    assert {stat.S_IMODE(path.stat().st_mode) for path in (store.root, *store.root.glob("*"))} == {0o700}


def test_what_was_not_kept_cannot_be_had(store: Store) -> None:
    with pytest.raises(Unobtainable):
        store.get(digest_of(b"never"))
    assert digest_of(b"never") not in store


def test_damage_is_told_and_not_handed_out(store: Store) -> None:
    digest = store.put(b"good")
    (path,) = (path for path in store.root.rglob(digest) if path.is_file())
    path.write_bytes(b"evil")
    with pytest.raises(DigestMismatch):
        store.get(digest)


def test_a_damaged_object_is_mended_by_keeping_it_again(store: Store) -> None:
    digest = store.put(b"good")
    next(store.root.rglob(digest)).write_bytes(b"evil")
    store.put(b"good")
    assert store.get(digest) == b"good"


def test_nothing_stays_of_a_writer_that_failed(store: Store) -> None:
    def cut(sink: BinaryIO) -> None:
        sink.write(b"half")
        raise ConnectionError

    with pytest.raises(ConnectionError):
        store.fill(cut)
    assert [path for path in store.root.rglob("*") if path.is_file()] == []


def test_every_flipped_bit_is_found_and_nothing_damaged_is_handed_out(store: Store) -> None:
    chance = random.Random(4)
    digests = [store.put(chance.randbytes(chance.randrange(1, 3000))) for _ in range(10)]
    files = {path.name: path for path in store.root.rglob("*") if path.is_file()}
    assert list(store.digests()) == sorted(digests) == sorted(files)
    for _ in range(1000):
        hit = chance.choice(digests)
        with _flipped(files[hit], chance):
            assert [digest for digest in store.digests() if store.damaged(digest)] == [hit]
            with pytest.raises(DigestMismatch, match=hit):
                store.get(hit)
    assert not any(store.damaged(digest) for digest in digests)


class _flipped:
    """One bit of a file, by chance, is another one until the block ends."""

    def __init__(self, path: Path, chance: random.Random) -> None:
        self._path, self._whole = path, path.read_bytes()
        self._bit = chance.randrange(8 * len(self._whole))

    def __enter__(self) -> None:
        data = bytearray(self._whole)
        data[self._bit // 8] ^= 1 << self._bit % 8
        self._path.write_bytes(data)

    def __exit__(self, *_: object) -> None:
        self._path.write_bytes(self._whole)


def test_what_is_not_what_was_expected_is_not_kept(store: Store) -> None:
    with pytest.raises(DigestMismatch, match=digest_of(b"other")):
        store.fill(lambda sink: _write(sink, b"other"), expected=digest_of(b"this"))
    assert list(store.digests()) == [] and list(store.root.glob("*")) == []
    assert store.fill(lambda sink: _write(sink, b"this"), expected=digest_of(b"this")) in store


def test_a_removed_object_is_gone_and_the_others_stay(store: Store) -> None:
    one, other = store.put(b"one"), store.put(b"other")
    assert (store.size(one), store.size(other)) == (3, 5)
    store.remove(one)
    store.remove(one)
    assert list(store.digests()) == [other] and "holds no object" in store.damaged(one)
    with pytest.raises(Unobtainable):
        store.size(one)


def test_what_a_killed_writer_left_is_no_object_and_can_be_swept_away(store: Store) -> None:
    store.put(b"one")
    (store.root / ".incoming-x").write_bytes(b"half")
    assert len(list(store.digests())) == 1
    store.sweep()
    assert not (store.root / ".incoming-x").exists() and len(list(store.digests())) == 1


@pytest.mark.parametrize("at", ["mkstemp", "write", "fsync", "rename"])
def test_a_full_disk_is_told_and_nothing_half_written_is_taken_for_whole(
    store: Store, monkeypatch: pytest.MonkeyPatch, at: str
) -> None:
    before = store.put(b"kept before")

    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    def write(sink: BinaryIO) -> None:
        sink.write(b"half")
        if at == "write":
            full()

    with monkeypatch.context() as patched:
        if at != "write":
            target = {"mkstemp": "tempfile.mkstemp", "fsync": "os.fsync", "rename": "pathlib.Path.replace"}[at]
            patched.setattr(target, full)
        with pytest.raises(DiskFull, match="No space left"):
            store.fill(write)
    assert list(store.digests()) == [before] and not list(store.root.glob(".incoming-*"))
    assert store.put(b"half") in store


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of one megabyte."""
    place = tmp_path / "disk"
    place.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", place], check=True)
    yield place
    subprocess.run(["umount", place], check=True)


@pytest.mark.lab
def test_on_a_disk_that_is_really_full(small_disk: Path) -> None:
    store = Store(small_disk / "store")
    before = store.put(b"kept before")
    with pytest.raises(DiskFull, match=r"No space left.*"):
        store.put(bytes(2 << 20))
    assert list(store.digests()) == [before] and store.get(before) == b"kept before"
    assert store.put(bytes(1 << 18)) in store


def _write(sink: BinaryIO, data: bytes) -> None:
    sink.write(data)
