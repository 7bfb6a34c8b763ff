"""Modules that are imported late."""

import subprocess
import sys
from pathlib import Path


def said(program: str) -> str:
    """What a fresh interpreter prints: modules of this one are imported already."""
    return subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True).stdout.strip()


DEFER = "import sys; from nornir_upgrade.core.deferred import defer; defer('wave'); import wave; "


def test_nothing_is_imported_until_it_is_used() -> None:
    assert said(DEFER + "print(isinstance(vars(wave).get('Error'), type))") == "False"
    assert (
        said(DEFER + "print(wave.Error.__name__, sys.modules['wave'] is wave, wave.open.__name__)")
        == "Error False open"
    )


def test_a_module_that_is_there_stays() -> None:
    assert (
        said(
            "import sys, wave; from nornir_upgrade.core.deferred import defer; defer('wave'); print(sys.modules['wave'] is wave)"
        )
        == "True"
    )


def test_a_missing_module_is_told_when_it_is_used() -> None:
    program = (
        "from nornir_upgrade.core.deferred import defer; defer('nowhere'); import nowhere\n"
        "try: nowhere.x\n"
        "except ImportError as error: print(error.name)"
    )
    assert said(program) == "nowhere"


def test_many_threads_may_ask_first() -> None:
    ask = "from concurrent.futures import ThreadPoolExecutor as P; print(len(set(P(20).map(lambda _: wave.Error, range(20)))))"
    assert said(DEFER + ask) == "1"


def test_logging_in_imports_no_more_than_it_needs() -> None:
    assert said("import sys; from nornir_upgrade.core import fleet, ssh; print('unittest' in sys.modules)") == "False"


def test_loading_a_fleet_leaves_netmiko_alone(tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text("inventory: {plugin: SimpleInventory}\n")
    (tmp_path / "hosts.yaml").write_text("a1: {}\n")
    load = f"import pathlib, sys; from nornir_upgrade.core import fleet; f = fleet.load(pathlib.Path({str(tmp_path)!r}, 'config.yaml'))"
    assert said(f"{load}; print(f.names, 'netmiko' in sys.modules)") == "('a1',) False"
