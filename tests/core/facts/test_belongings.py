"""What is a package's beyond its files: from what its scripts and lists name, and what stands there."""

from collections.abc import Sequence

import pytest

from nornir_upgrade.core.errors import InvalidInput
from nornir_upgrade.core.facts.belongings import Belongings, belongings, look_script
from nornir_upgrade.core.packaging.model import PackageName
from nornir_upgrade.core.transport.host import Host, Result

DB = PackageName("shopdb-15", "amd64")
NAMED = """\
package\tshopdb-15\tamd64
postrm%#!/bin/sh
postrm%VERSION=15
postrm%rm -rf /var/lib/shopdb/$VERSION "/srv/$DPKG_MAINTSCRIPT_PACKAGE" /var/lib/dpkg/alternatives/shopdb
postinst%adduser --system shop
postinst%chown root:daemon /var/log/shopdb
list%/var/lib/shopdb
list%/var/lib/shopdb/empty
list%/var/spool/shop-mail
list%/var/lib/common
list%/etc/shopdb
list%/etc/shopdb/a.conf
list%/etc/logrotate.d
list%/etc/logrotate.d/shopdb
unit%/lib/systemd/system/shopdb@.service
unit%/etc/init.d/shopdb
"""
OWNED = """\
/var/lib/dpkg/info/shopdb-15.list:/var/lib/shopdb
/var/lib/dpkg/info/shopdb-15.list:/var/lib/common
/var/lib/dpkg/info/other:amd64.list:/var/lib/common
/var/lib/dpkg/info/shopdb-15.list:/etc/logrotate.d
/var/lib/dpkg/info/logrotate.list:/etc/logrotate.d
/var/lib/dpkg/info/shopdb-15.list:/etc/logrotate.d/shopdb
/var/lib/dpkg/info/shopdb-15.list:/etc/shopdb
"""
USERS = (
    "root:x:0:0::/root:/bin/sh\n"
    "daemon:x:1:1::/:/bin/false\nshop:x:105:110::/var/lib/shopdb:/bin/false\n"
    "eve:x:1000:1000::/home/eve:/bin/sh\n"
)


class Answering(Host):
    """A host that answers the two scripts. `there` are the places at which files stand."""

    def __init__(self, named: str = NAMED, there: str = "") -> None:
        self.named, self.there = named, there
        self.asked: list[str] = []

    @property
    def name(self) -> str:
        return "web1"

    def run(self, argv: Sequence[str], *, stdin: bytes = b"", timeout: float = 60.0, check: bool = True) -> Result:
        script, boundary = argv[2], argv[4]
        parts = (
            {"found": ""}
            if script in (look_script("apt"), look_script("dnf4"))
            else {"named": self.named, "owned": OWNED, "users": USERS}
        )
        if script in (look_script("apt"), look_script("dnf4")):
            self.asked = stdin.decode().splitlines()
            parts["found"] = "".join(
                f"{line}\t{self.there}\n" for line in self.asked if self.there.startswith(line.split("\t")[1])
            )
        text = "".join(f"{said}\n{boundary} {part} 0\n" for part, said in (parts | {"end": ""}).items())
        return Result(0, text.encode(), b"")


def test_data_are_looked_for_where_scripts_and_lists_say_and_nowhere_else() -> None:
    host = Answering()
    assert not belongings(host, "apt", {DB})[DB].data
    assert host.asked == [
        "place\t/srv/shopdb",
        "place\t/srv/shopdb-15",
        "place\t/var/lib/shopdb",
        "place\t/var/spool/shop-mail",
        "user\tshop",
    ]


def test_what_stands_there_is_its_data() -> None:
    found = belongings(Answering(there="/var/lib/shopdb/15/main/rows"), "apt", {DB})
    assert found == {
        DB: Belongings(
            data=("/var/lib/shopdb",),
            services=("shopdb", "shopdb@"),
            configuration=("/etc/logrotate.d/shopdb", "/etc/shopdb"),
            users=("shop",),
        )
    }


def test_of_rpm_only_what_its_scriptlets_remove_counts() -> None:
    named = "package\tshopdb-15\tamd64\npostrm%rm -rf /var/lib/shopdb\n"
    host = Answering(named, there="/var/lib/shopdb/rows")
    assert belongings(host, "dnf4", {DB})[DB].data == ("/var/lib/shopdb",) and host.asked == ["place\t/var/lib/shopdb"]
    harmless = "package\tshopdb-15\tamd64\npostrm%echo /var/lib/shopdb is left\n"
    assert not belongings(Answering(harmless, there="/var/lib/shopdb/rows"), "dnf4", {DB})[DB].data


def test_nobody_is_asked_of_nothing_and_an_answer_that_is_none_is_refused() -> None:
    host = Answering()
    assert belongings(host, "apt", ()) == {} and not host.asked
    with pytest.raises(InvalidInput, match="not understood"):
        belongings(Answering("what is this\n"), "apt", {DB})
