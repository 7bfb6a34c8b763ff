"""The cache of golden layers, without a lab."""

import fcntl
from pathlib import Path

import pytest

from nornir_upgrade.core.errors import InvalidInput
from nornir_upgrade.lab import layers
from nornir_upgrade.lab.errors import LabError


def make(directory: Path, text: str) -> Path:
    directory.mkdir(parents=True)
    (directory / "file").write_text(text)
    return directory


def test_what_was_kept_is_found_above_what_it_stood_on(tmp_path: Path) -> None:
    cache, base = tmp_path / "cache", make(tmp_path / "base", "base")
    first = layers.keep(cache, "one", "h1", make(tmp_path / "upper", "first"), (base,))
    second = layers.keep(cache, "two", "h1", make(tmp_path / "upper", "second"), first)
    assert layers.find(cache, "two", "h1", base) == second
    assert [(layer / "file").read_text() for layer in second] == ["second", "first", "base"]
    assert layers.find(cache, "two", "h2", base) is None
    assert layers.find(cache, "two", "h1", tmp_path / "another base") is None


def test_keeping_again_replaces_and_prune_removes_what_nothing_needs(tmp_path: Path) -> None:
    cache, base = tmp_path / "cache", make(tmp_path / "base", "base")
    (tmp_path / "disk").mkdir()
    cache.symlink_to(tmp_path / "disk")
    old = layers.keep(cache, "key", "h1", make(tmp_path / "upper", "old"), (base,))
    under = layers.keep(cache, "gone", "h1", make(tmp_path / "upper", "under"), (base,))
    new = layers.keep(cache, "key", "h1", make(tmp_path / "upper", "new"), under)
    (cache / "golden" / "gone" / "h1").unlink()
    layers.prune(cache)
    assert layers.find(cache, "key", "h1", base) == new, "the layer below has no key of its own, and is needed"
    assert not old[0].exists()


def test_nothing_is_removed_while_a_lab_runs(tmp_path: Path) -> None:
    cache, base = tmp_path / "cache", make(tmp_path / "base", "base")
    old = layers.keep(cache, "key", "h1", make(tmp_path / "upper", "old"), (base,))
    layers.keep(cache, "key", "h1", make(tmp_path / "upper", "new"), (base,))
    with (cache / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_SH)
        layers.prune(cache)
        with pytest.raises(LabError, match="another lab runs"):
            layers.purge(cache)
        assert old[0].exists()
    layers.purge(cache)
    assert not cache.exists()
    layers.purge(cache)
    layers.prune(cache)


@pytest.mark.parametrize("key", ["", "..", "a/b", ".hidden"])
def test_a_key_is_one_plain_name(tmp_path: Path, key: str) -> None:
    with pytest.raises(InvalidInput):
        layers.find(tmp_path, key, "h1", tmp_path)
