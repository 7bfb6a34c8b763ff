"""Gates: what systemd says of services that ran before."""

from pathlib import Path
from typing import Any, cast

import pytest

from nornir_upgrade.core.errors import GateFailed
from nornir_upgrade.core.store import Store
from nornir_upgrade.core.transport.host import Host, Result
from nornir_upgrade.steps.gates import ServicesKept


class Systemd:
    """A host that answers every question with `text`."""

    name = "web1"

    def __init__(self, **unit: str) -> None:
        fields = {"Id": "nginx.service", "LoadState": "loaded", "UnitFileState": "enabled", "Type": "notify"} | unit
        self.text = "".join(f"{key}={value}\n" for key, value in fields.items())

    def run(self, argv: Any, **options: Any) -> Result:
        assert argv[-2:] == ("nginx.service", "nginx@*.service")
        return Result(0, self.text.encode(), b"")


def ask(tmp_path: Path, **unit: str) -> None:
    ServicesKept(("nginx",), timeout=0.0).apply(cast(Host, Systemd(**unit)), Store(tmp_path / "store"))


@pytest.mark.parametrize(
    "unit",
    [
        {"ActiveState": "active"},
        {"ActiveState": "reloading"},
        {"ActiveState": "inactive", "LoadState": "not-found", "UnitFileState": ""},
        {"ActiveState": "inactive", "UnitFileState": "static"},
        {"ActiveState": "inactive", "UnitFileState": "disabled"},
        {"ActiveState": "inactive", "TriggeredBy": "nginx.socket"},
        {"ActiveState": "inactive", "Type": "oneshot"},
        {"ActiveState": "inactive", "Id": "nginx@one.service"},
        {"ActiveState": "failed", "Id": "nginx@one.service", "ActiveEnterTimestampMonotonic": "0"},
    ],
    ids=str,
)
def test_what_runs_or_need_not_passes(tmp_path: Path, unit: dict[str, str]) -> None:
    ask(tmp_path, **unit)


@pytest.mark.parametrize(
    "unit",
    [
        {"ActiveState": "failed"},
        {"ActiveState": "failed", "UnitFileState": "static"},
        {"ActiveState": "failed", "TriggeredBy": "nginx.socket"},
        {"ActiveState": "inactive"},
        {"ActiveState": "inactive", "UnitFileState": "enabled-runtime"},
        {"ActiveState": "activating"},
        {"ActiveState": "failed", "Id": "nginx@one.service", "ActiveEnterTimestampMonotonic": "77"},
    ],
    ids=str,
)
def test_what_ran_and_is_lost_does_not(tmp_path: Path, unit: dict[str, str]) -> None:
    with pytest.raises(GateFailed, match=f"web1: ran before: nginx(@one)? is {unit['ActiveState']}"):
        ask(tmp_path, **unit)
