"""What runs made of a host beside its packages, from runs made by hand."""

from dataclasses import replace
from pathlib import Path

import pytest

from nornir_upgrade.core.run import Run
from nornir_upgrade.core.transport.host import FileState
from nornir_upgrade.steps.state import CaptureState, RestoreState
from rollback.plan.undo_log import trail
from tests.builders import Diary, plan


def file(path: str, letter: str) -> FileState:
    return FileState(path, "file", "0644", "root", "root", letter * 64)


NEW, STAYS = file("/etc/a/new", "a"), file("/etc/b/new", "b")
STEPS = plan(("state", {"h": (CaptureState("state"), CaptureState("state", end=True))}))


@pytest.fixture
def diary(tmp_path: Path) -> Diary:
    return Diary(tmp_path)


def went(diary: Diary, begun: tuple[FileState, ...], ended: tuple[FileState, ...], way: str = "forward") -> Run:
    befores = {("state", 0): RestoreState(begun), ("state", 1): RestoreState(ended, part="end")}
    started = {(0, "h", index): step for (_, index), step in befores.items()}
    return diary.went(replace(STEPS, direction=way), started, ended="succeeded")  # type: ignore[arg-type]


def made(*runs: Run) -> frozenset[str] | None:
    return trail(runs, "h").changed


def test_what_a_partial_way_back_left_is_still_the_runs_doing(diary: Diary) -> None:
    forward = went(diary, (), (NEW, STAYS))
    back = went(diary, (NEW, STAYS), (STAYS,), "rollback")
    diary.journal.append(forward.id, "run_undone", text=back.id)
    undone = diary.journal.run(forward.id)
    assert undone.status == "undone" and made(undone, back) == {STAYS.path}
    assert trail((undone, back), "h").left == (STAYS,)


def test_a_file_that_went_back_is_nobodys_doing(diary: Diary) -> None:
    assert made(went(diary, (NEW,), (STAYS,)), went(diary, (STAYS,), (NEW,), "rollback")) == set()


def test_what_was_unwound_left_what_it_began_with(diary: Diary) -> None:
    forward = went(diary, (STAYS,), (NEW, STAYS))
    run = diary.journal.open_run(replace(plan(), direction="unwind"), parent=forward.id)
    diary.journal.append(run.id, "run_ended", text="succeeded")
    diary.journal.append(forward.id, "run_undone", text=run.id)
    found = trail([diary.journal.run(one.id) for one in (forward, run)], "h")
    assert found.changed == set() and found.left == (STAYS,)
