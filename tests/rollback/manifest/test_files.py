"""Manifests as files and as words."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from nornir_upgrade.core.errors import Drift, InvalidInput, UnknownName
from rollback.manifest.commands import of_host
from rollback.manifest.files import read_all, reasons, refuse_drift, write_all
from rollback.manifest.model import Manifest, lines
from rollback.solver.exact import exact
from tests.builders import facts, offering, package

THEN = facts("ctl1", (package("nova", "1"), package("quantum", "1"), package("less", "1")))
NOW = facts("ctl1", (package("nova", "2"), package("neutron", "2"), package("less", "1")))
TO = {"snapshot": "snapshot-1"}
MANIFEST = exact(THEN, NOW, offering(THEN.packages), TO)


def test_what_was_written_is_read_back(tmp_path: Path) -> None:
    odd = replace(MANIFEST, host="../../odd host")
    write_all({"ctl1": MANIFEST, odd.host: odd}, tmp_path / "new" / "manifests")
    assert read_all(tmp_path / "new" / "manifests") == {"ctl1": MANIFEST, odd.host: odd}
    assert sorted(path.name for path in tmp_path.rglob("*.json")) == [
        "..%2F..%2Fodd%20host.json",
        "ctl1.json",
        "index.json",
    ]
    index = json.loads((tmp_path / "new" / "manifests" / "index.json").read_text())
    assert index["hosts"]["ctl1"]["counts"]["downgrade"] == 1


def test_a_directory_that_holds_none_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match=r"index.json: No such file"):
        read_all(tmp_path)
    (tmp_path / "index.json").write_text('{"format": "0.1", "hosts": {}}')
    with pytest.raises(InvalidInput, match=r"format 1.0"):
        read_all(tmp_path)
    write_all({"ctl1": MANIFEST}, tmp_path)
    (tmp_path / "ctl1.json").unlink()
    with pytest.raises(InvalidInput, match=r"ctl1.json"):
        read_all(tmp_path)


def test_the_manifest_of_another_host_is_refused(tmp_path: Path) -> None:
    write_all({"ctl1": replace(MANIFEST, host="cmp1")}, tmp_path)
    with pytest.raises(InvalidInput, match="the manifest of cmp1, not of ctl1"):
        read_all(tmp_path)


def test_a_manifest_made_for_another_state_is_drift() -> None:
    refuse_drift({"ctl1": MANIFEST}, {"ctl1": MANIFEST}, (NOW,))
    since = facts("ctl1", (*NOW.packages, package("vim", "1")))
    with pytest.raises(Drift, match=r"ctl1: .*: vim"):
        refuse_drift({"ctl1": MANIFEST}, {"ctl1": exact(THEN, since, offering(THEN.packages), TO)}, (since,))
    with pytest.raises(UnknownName):
        refuse_drift({}, {"ctl1": MANIFEST}, (NOW,))
    with pytest.raises(InvalidInput, match="leads to snapshot other, not to snapshot snapshot-1"):
        refuse_drift({"ctl1": replace(MANIFEST, to={"snapshot": "other"})}, {"ctl1": MANIFEST}, (NOW,))


def test_words_are_what_changes_sorted() -> None:
    assert lines(MANIFEST) == ("neutron-", "nova=1", "quantum=1")
    assert lines(exact(THEN, THEN, offering(()), TO)) == ()


def test_the_apt_command_is_one_line_with_every_package_and_no_other() -> None:
    (command,) = of_host(MANIFEST, "apt", NOW)
    assert command.startswith("apt-get ") and "--allow-downgrades" in command
    assert command.endswith(" install -- neutron:all- nova:all=1 quantum:all=1")
    assert of_host(exact(THEN, THEN, offering(()), TO), "apt", THEN) == ()


def test_a_reason_for_each_host_and_an_unknown_package_is_told_of_its_likes() -> None:
    other: Manifest = replace(MANIFEST, host="cmp1")
    found = reasons((MANIFEST, other), "nova")
    assert found == (
        "ctl1: nova:all downgrade, 2 -> 1: changed since (from archive old/main)",
        "cmp1: nova:all downgrade, 2 -> 1: changed since (from archive old/main)",
    )
    assert "not there before" in reasons((MANIFEST,), "neutron")[0]
    with pytest.raises(UnknownName) as caught:
        reasons((MANIFEST,), "nova-api")
    assert "nova" in caught.value.hint and "less" not in caught.value.hint
