"""Who waits says so at once, with the name of whom it waits for, and not all the time."""

from collections.abc import Sequence
from typing import Any

import pytest

from nornir_upgrade.core import waiting
from nornir_upgrade.core.errors import PackageManagerLocked
from nornir_upgrade.core.packaging.deb import transaction
from nornir_upgrade.core.transport.host import Result


class Busy:
    """A host on which apt is at work for so many `looks`, and what it was asked."""

    name = "web1"

    def __init__(self, looks: int) -> None:
        self.looks = looks
        self.seconds: list[int] = []

    def run(self, argv: Sequence[str], **_: Any) -> Result:
        self.seconds.append(int(argv[-1]))
        return Result(0, b"123 apt-get\n" if len(self.seconds) <= self.looks else b"", b"")


def heard(host: Busy) -> list[tuple[str, str]]:
    said: list[tuple[str, str]] = []
    with waiting.heard_by(lambda *words: said.append(words)):
        transaction.wait_until_quiet(host)  # type: ignore[arg-type]
    return said


def test_nobody_at_work_is_nothing_to_tell() -> None:
    host = Busy(0)
    assert heard(host) == [] and host.seconds == [0]


def test_who_is_waited_for_is_told_at_once_and_once() -> None:
    host = Busy(3)
    (said,) = heard(host)
    assert said[0] == "web1" and said[1].startswith("apt-get (pid 123), which changes packages there, at most 120 s")
    assert host.seconds[0] == 0 and all(host.seconds[1:])


def test_it_is_told_again_after_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waiting, "AGAIN", -1.0)
    assert len(heard(Busy(3))) == 3


def test_patience_ends_with_the_name_of_whom_it_was_for() -> None:
    host = Busy(1000)
    with pytest.raises(PackageManagerLocked, match=r"apt-get \(pid 123\), for more than 120 s"):
        heard(host)
    assert sum(host.seconds) == transaction.LOCK_WAIT


def test_who_only_tells_ends_nobodys_work() -> None:
    def broken(host: str, what: str) -> None:
        raise OSError("the terminal has gone")

    with waiting.heard_by(broken):
        waiting.say("web1", "something")
