"""The store: whole or absent, private, verified."""

import os
import stat
from pathlib import Path
from typing import BinaryIO

import pytest

from nornir_upgrade.core.errors import DigestMismatch, Unobtainable
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
