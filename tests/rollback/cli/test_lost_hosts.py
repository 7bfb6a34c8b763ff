"""snapshot and diff where a host cannot be asked: the others are recorded and compared, and what lacks is told."""

from collections.abc import Sequence

import pytest

from nornir_upgrade.core.errors import Failure, HostUnreadable, Unreachable
from nornir_upgrade.core.facts.gather import HostFacts
from nornir_upgrade.core.transport.host import Host
from rollback import assess
from tests.fake import way_back
from tests.rollback.conftest import Site

LOST = pytest.mark.parametrize(
    ("failure", "code"),
    [
        (Unreachable("cmp1: no route", hint="see to it"), 30),
        (HostUnreadable("cmp1: apt-cache policy: E: broken", hint="on cmp1: apt-cache policy"), 24),
    ],
    ids=["down", "broken"],
)


def lose(monkeypatch: pytest.MonkeyPatch, failure: Failure, hosts: Sequence[str] = ("cmp1",)) -> None:
    def gather(host: Host, databases: Sequence[str] = ()) -> HostFacts:
        if host.name in hosts:
            raise failure
        return way_back.facts_of(host, databases)

    monkeypatch.setattr(assess, "gather", gather)


@LOST
def test_a_snapshot_is_of_the_others_and_says_which_lack(
    site: Site, monkeypatch: pytest.MonkeyPatch, failure: Failure, code: int
) -> None:
    lose(monkeypatch, failure)
    told = site.json("snapshot", code=code)
    assert told["hosts"] == ["ctl1"] and told["lacking"] == {"cmp1": failure.message}
    result = site.call("snapshot", "--label", "again", code=code)
    assert f"Not in the snapshot: cmp1: {failure.message}\n  {failure.hint}" in result.stderr
    assert len(site.json("snapshots")["snapshots"]) == 2


@LOST
def test_the_others_are_compared_and_what_was_not_is_told(
    site: Site, monkeypatch: pytest.MonkeyPatch, failure: Failure, code: int
) -> None:
    site.call("snapshot")
    lose(monkeypatch, failure)
    told = site.json("diff", code=code)
    assert told["differences"] == [] and told["lacking"] == {"cmp1": failure.message}
    assert "Not compared: cmp1" in site.call("diff", "last", "--detailed-exitcode", code=code).stderr


def test_what_snapshots_there_are_is_told_with_their_labels(site: Site) -> None:
    taken = site.json("snapshot", "--label", "before the maintenance")["snapshot"]
    told = site.call("diff", "no-such", code=10).stderr
    assert f"there is: {taken} (before the maintenance)" in told


@LOST
def test_where_no_host_can_be_asked_nothing_is_recorded(
    site: Site, monkeypatch: pytest.MonkeyPatch, failure: Failure, code: int
) -> None:
    lose(monkeypatch, failure, ("cmp1", "ctl1"))
    assert "--limit" in site.call("snapshot", code=code).stderr
    assert site.json("snapshots")["snapshots"] == []
