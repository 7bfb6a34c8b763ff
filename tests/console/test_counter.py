"""What is told of long work, and when."""

import pytest

from nornir_upgrade.console.counter import counter
from nornir_upgrade.console.options import Flags
from nornir_upgrade.console.output import Screen


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def screen(**flags: bool) -> Screen:
    return Screen(Flags(**flags))  # type: ignore[arg-type]


def told(screen: Screen, seconds: float) -> None:
    """Ten pieces of work, each of which takes so long."""
    clock = Clock()
    with counter(screen, "ways back", clock=clock) as progress:
        for done in range(1, 11):
            clock.now += seconds
            progress(done, 10)


def test_a_pipe_gets_a_line_now_and_then(capsys: pytest.CaptureFixture[str]) -> None:
    told(screen(), 4)
    assert capsys.readouterr().err.splitlines() == ["ways back: 4 of 10", "ways back: 7 of 10", "ways back: 10 of 10"]


def test_what_is_quick_or_was_asked_to_be_quiet_says_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    told(screen(), 0.05)
    told(screen(quiet=True), 20)
    assert capsys.readouterr().err == ""


def test_a_terminal_gets_one_line_that_goes_again(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setattr(Screen, "live", True)
    told(screen(), 0.05)
    assert capsys.readouterr().err == ""
    told(screen(), 0.2)
    err = capsys.readouterr().err
    assert "ways back: 10 of 10" in err
    assert err.count("\x1b[?25l") == err.count("\x1b[?25h") == 1  # the cursor is hidden, and comes back
