"""Modules that are imported late."""

import subprocess
import sys
from pathlib import Path

import pytest

from nornir_upgrade.core.distributions import version


def said(program: str) -> str:
    """What a fresh interpreter prints: modules of this one are imported already."""
    return subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True).stdout.strip()


DEFER = "import sys; from nornir_upgrade.core.lazy_imports import defer; defer('wave'); import wave; "


def test_nothing_is_imported_until_it_is_used() -> None:
    assert said(DEFER + "print(isinstance(vars(wave).get('Error'), type))") == "False"
    assert (
        said(DEFER + "print(wave.Error.__name__, sys.modules['wave'] is wave, wave.open.__name__)")
        == "Error False open"
    )


def test_a_module_that_is_there_stays() -> None:
    assert (
        said(
            "import sys, wave; from nornir_upgrade.core.lazy_imports import defer; defer('wave'); print(sys.modules['wave'] is wave)"
        )
        == "True"
    )


def test_a_missing_module_is_told_when_it_is_used() -> None:
    program = (
        "from nornir_upgrade.core.lazy_imports import defer; defer('nowhere'); import nowhere\n"
        "try: nowhere.x\n"
        "except ImportError as error: print(error.name)"
    )
    assert said(program) == "nowhere"


def test_many_threads_may_ask_first() -> None:
    ask = "from concurrent.futures import ThreadPoolExecutor as P; print(len(set(P(20).map(lambda _: wave.Error, range(20)))))"
    assert said(DEFER + ask) == "1"


def test_modules_of_a_package_are_imported_without_it() -> None:
    program = "import sys; from nornir_upgrade.core.lazy_imports import defer; defer('json', known=1); from json import known, decoder; "
    assert (
        said(program + "print(known, decoder.__name__, 'dumps' in vars(sys.modules['json']))") == "1 json.decoder False"
    )
    assert said(program + "import json; print(json.dumps(known), json.decoder is decoder)") == "1 True"


def test_logging_in_imports_no_more_than_it_needs() -> None:
    login = (
        "import sys; from nornir_upgrade.core.inventory import fleet; from nornir_upgrade.core.transport import ssh; "
    )
    never = {"unittest", "netmiko.ssh_dispatcher", "netmiko.cisco", "email.message"}
    assert said(login + f"print({never} & sys.modules.keys())") == "set()"
    assert said(login + "import netmiko; print(netmiko.ConnectHandler.__name__)") == "ConnectHandler"


def test_loading_a_fleet_leaves_netmiko_alone(tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text("inventory: {plugin: SimpleInventory}\n")
    (tmp_path / "hosts.yaml").write_text("a1: {}\n")
    load = f"import pathlib, sys; from nornir_upgrade.core.inventory import fleet; f = fleet.load(pathlib.Path({str(tmp_path)!r}, 'config.yaml'))"
    assert said(f"{load}; print(f.names, 'netmiko.linux' in sys.modules)") == "('a1',) False"


def test_a_module_of_a_package_is_found_in_it() -> None:
    program = "from nornir_upgrade.core.lazy_imports import defer; defer('xml.sax', known=1); import xml.sax; "
    assert said(program + "print(xml.sax.known, xml.sax.parseString.__name__)") == "1 parseString"
    assert said(program + "import sys; xml.sax.parseString; print(xml.sax is sys.modules['xml.sax'])") == "True"


def test_what_is_installed_is_known_by_its_version() -> None:
    import importlib.metadata

    for name in ("nornir", "nornir-netmiko", "ruamel.yaml", "paramiko"):
        assert version(name) == importlib.metadata.version(name)
    with pytest.raises(importlib.metadata.PackageNotFoundError):
        version("nowhere")


def test_a_version_that_no_folder_tells_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As Debian's own packages of Python's are recorded."""
    (record := tmp_path / "Older_Kind.egg-info").mkdir()
    (record / "PKG-INFO").write_text("Metadata-Version: 2.1\nName: Older-Kind\nVersion: 7\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    assert version("older-kind") == "7"


def test_libraries_that_ask_for_their_version_are_told_it() -> None:
    program = "import nornir_upgrade.core.inventory.fleet, nornir; from importlib import metadata; print(nornir.__version__ == "
    assert said(program + "metadata.distribution('nornir').version, metadata.PackageNotFoundError.__name__)") == (
        "True PackageNotFoundError"
    )
