"""What the lab does to this machine, without a lab."""

import shutil
from pathlib import Path
from typing import Any

import pytest

from nornir_upgrade.lab import machine


class Killed(BaseException):
    """The process was."""


@pytest.fixture
def lab(tmp_path: Path) -> Path:
    """A lab's directory: its mark stands among names that come before and after it."""
    directory = tmp_path / "lab"
    for name in ("hosts/h1", "zone"):
        (directory / name).mkdir(parents=True)
    for name in ("a-key", "hosts/h1/console.log", "lock", "zone/file", "z-last"):
        (directory / name).write_text("x")
    return directory


def _dying(number: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """This process is killed before its `number`th deletion (0 is the first) of what stands in the lab's directory."""
    left = [number]

    def counted(delete: Any) -> Any:
        def do(path: Path, *rest: Any, **more: Any) -> Any:
            left[0] -= 1
            if left[0] < 0:
                raise Killed
            return delete(path, *rest, **more)

        return do

    monkeypatch.setattr(shutil, "rmtree", counted(shutil.rmtree))
    monkeypatch.setattr(Path, "unlink", counted(Path.unlink))


@pytest.mark.parametrize("backwards", [False, True])
@pytest.mark.parametrize("number", range(5))
def test_what_a_killed_removal_leaves_is_known_for_a_labs_and_goes_the_next_time(
    lab: Path, monkeypatch: pytest.MonkeyPatch, number: int, backwards: bool
) -> None:
    listed = Path.iterdir  # in whatever order
    with monkeypatch.context() as patch:
        patch.setattr(Path, "iterdir", lambda path: iter(sorted(listed(path), reverse=backwards)))
        _dying(number, patch)
        with pytest.raises(Killed):
            machine.remove_tree(lab)
    assert (lab / "lock").exists()
    machine.check_directory(lab)
    machine.remove_tree(lab)
    assert not lab.exists()
