"""MariaDB: its commands as data, and what its clients' output means."""

import pytest

from nornir_upgrade.core.database.engine import Database
from nornir_upgrade.core.database.mariadb import MARIADB
from nornir_upgrade.core.errors import CommandFailed, DiskFull, InvalidInput
from nornir_upgrade.core.transport.host import Result
from nornir_upgrade.core.transport.sections import Section


@pytest.mark.parametrize("name", ["", "-x", "a b", "a`b", "a'b", "ä"])
def test_a_bad_name_reaches_no_command(name: str) -> None:
    for command in (
        lambda: MARIADB.size_query([name]),
        lambda: MARIADB.exists_argv(name, ""),
        lambda: MARIADB.dump_argv(name, "", "/dump"),
        lambda: MARIADB.drop_argv(name, ""),
    ):
        with pytest.raises(InvalidInput, match="no name of a database"):
            command()


def test_the_option_file_is_the_first_option() -> None:
    for argv in (
        MARIADB.exists_argv("nova", "/root/my.cnf"),
        MARIADB.dump_argv("nova", "/root/my.cnf", "/dump"),
        MARIADB.load_argv("/root/my.cnf"),
        MARIADB.drop_argv("nova", "/root/my.cnf"),
    ):
        assert argv[1] == "--defaults-extra-file=/root/my.cnf"
    with pytest.raises(InvalidInput, match="not an absolute path"):
        MARIADB.load_argv("my.cnf")


def test_no_databases_need_no_query() -> None:
    assert MARIADB.size_query([]) == ""


def test_digests_are_sorted_by_name() -> None:
    sections = [
        Section("database nova", 0, 1, "aa  -\n"),
        Section("os", 0, 2, ""),
        Section("database b", 0, 3, "bb  -\n"),
    ]
    assert MARIADB.parse_digests(sections) == (Database("b", "bb"), Database("nova", "aa"))
    with pytest.raises(InvalidInput, match="database nova: the command ended with status 2"):
        MARIADB.parse_digests([Section("database nova", 2, 1, "aa  -\n")])


def test_sizes_or_the_error_of_the_client() -> None:
    assert MARIADB.parse_sizes(Section("databases", 0, 1, "nova\t49152\n")) == ({"nova": 49152}, "")
    assert MARIADB.parse_sizes(Section("databases", 1, 1, "", "ERROR 2002")) == ({}, "ERROR 2002")
    assert MARIADB.parse_sizes(Section("databases", 1, 1, "")) == ({}, "status 1")


def test_a_full_disk_is_told_from_other_errors() -> None:
    full = MARIADB.error("ctl1", "dump", Result(5, b"mariadb-dump: Error: errno 28 on write", b""))
    assert isinstance(full, DiskFull) and "ctl1: no space left for the dump of a database" in str(full)
    assert isinstance(MARIADB.error("ctl1", "restore", Result(1, b"ERROR 1064", b"")), CommandFailed)


def test_a_dump_without_its_end_is_not_whole() -> None:
    assert MARIADB.is_whole(b"...\n-- Dump completed\n") and not MARIADB.is_whole(b"INSERT INTO")
