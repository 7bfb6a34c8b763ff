"""What depots make of a host's answers: as apt 2.6.1 and dnf 4.14 gave them, and cut off, or made to mislead."""

import re

import pytest

from nornir_upgrade.core.errors import CommandFailed, InvalidInput
from nornir_upgrade.core.escrow.deliver import Delivered, unfetched
from nornir_upgrade.core.packaging.deb.file_source import AptFileSource
from nornir_upgrade.core.packaging.dnf.file_source import DnfFileSource
from nornir_upgrade.core.packaging.file_source import GATHERED, FileOffer, FileSource, Held, parse_held
from nornir_upgrade.core.packaging.package_file import DELIVERED, PackageFile
from nornir_upgrade.core.transport.disk import full

COMPUTE = PackageFile("deb", "nova-compute", "all", "1:2013.2-0ubuntu1~cloud0")
LESS = PackageFile("deb", "less", "amd64", "590-2.1~deb12u2")
NAME = "nova-compute_1%3a2013.2-0ubuntu1~cloud0_all.deb"
GOOD, OTHER = "39eed0a8760fd264007fa78d78a44e9b5b19aa79777f98b7fa7e823d5815186c", "0" * 64
STANZA = f"""\
Package: nova-compute
Version: 1:2013.2-0ubuntu1~cloud0
Architecture: all
Size: 1640
SHA256: {GOOD}

Package: less
Version: 590-2.1~deb12u2
Architecture: amd64

"""


def deb(stanzas: str, *cached: str) -> str:
    return "\n".join((f"{stanzas}== cache", "/var/cache/apt/archives/", *cached, "== end")) + "\n"


def in_cache(name: str, digest: str, *identity: str) -> str:
    return "\t".join((name, "name", digest, "1640", *identity))


def test_what_the_index_says_and_what_the_cache_has() -> None:
    mine = ("nova-compute", COMPUTE.version, "all")
    depot = AptFileSource()
    found = depot.parse_look(deb(STANZA), [COMPUTE, LESS])
    assert found == {
        COMPUTE: FileOffer(None, True, (GOOD,), 1640),
        LESS: FileOffer(),
    }  # dpkg's own stanza of less offers nothing
    held = Held(f"/var/cache/apt/archives/{NAME}", GOOD, 1640, "index")
    assert depot.parse_look(deb(STANZA, in_cache(NAME, GOOD, *mine)), [COMPUTE])[COMPUTE].cached == held
    spoilt = depot.parse_look(deb(STANZA, in_cache(NAME, OTHER, *mine)), [COMPUTE])[COMPUTE]
    assert spoilt.cached is None and spoilt.offered
    unknown = depot.parse_look(deb("", in_cache(NAME, OTHER, *mine)), [COMPUTE])[COMPUTE]
    assert unknown == FileOffer(Held(held.path, OTHER, 1640, "name"), False, (), 1640)
    renamed = depot.parse_look(deb("", in_cache(NAME, OTHER, "nova-common", COMPUTE.version, "all")), [COMPUTE])[
        COMPUTE
    ]
    assert renamed == FileOffer()


def test_two_builds_of_one_version_are_both_what_an_index_says() -> None:
    twice = STANZA + STANZA.replace(GOOD, OTHER)
    assert AptFileSource().parse_look(deb(twice), [COMPUTE])[COMPUTE].digests == (GOOD, OTHER)


RPM = PackageFile("rpm", "libvirt", "x86_64", "1:1.1.3-1.el6")
ROWS = f"""\
lost\tcloud-grizzly\tCannot download repomd.xml
offered\tlibvirt-1.1.3-1.el6.x86_64.rpm\t{GOOD}\t8699
cached\tlibvirt-1.1.3-1.el6.x86_64.rpm\tsignature\t{GOOD}\t8699\t/var/cache/dnf/a-1/packages/libvirt-1.1.3-1.el6.x86_64.rpm
== end
"""


def test_rpm_files_are_checked_by_index_or_signature() -> None:
    path = "/var/cache/dnf/a-1/packages/libvirt-1.1.3-1.el6.x86_64.rpm"
    parse = DnfFileSource().parse_look
    assert parse(ROWS, [RPM]) == {RPM: FileOffer(Held(path, GOOD, 8699, "signature"), True, (GOOD,), 8699)}
    assert parse(ROWS.replace("signature", "name"), [RPM])[RPM].cached == Held(path, GOOD, 8699, "index")
    bad = ROWS.replace("signature", "")  # rpmkeys says that its digest or its signature is bad
    assert parse(bad, [RPM])[RPM] == FileOffer(None, True, (GOOD,), 8699)
    assert parse(ROWS.replace(f"signature\t{GOOD}", f"signature\t{OTHER}"), [RPM])[RPM].cached is None
    assert parse("== end\n", [RPM]) == {RPM: FileOffer()}


@pytest.mark.parametrize(("depot", "text"), [(AptFileSource(), deb(STANZA)), (DnfFileSource(), ROWS)])
def test_an_answer_that_is_cut_off_is_refused(depot: FileSource, text: str) -> None:
    lines = text.splitlines(keepends=True)
    for count in range(len(lines)):
        with pytest.raises(InvalidInput):
            depot.parse_look("".join(lines[:count]), [COMPUTE])


@pytest.mark.parametrize(
    "row", ["held\tx", f"held\tx\tmaybe\t{GOOD}\t1", "held\tx\tname\tnothex\t1", f"held\tx\tname\t{GOOD}\t-1"]
)
def test_a_job_that_tells_nonsense_is_refused(row: str) -> None:
    with pytest.raises(InvalidInput):
        parse_held(row)


def test_a_job_tells_of_files_among_other_words() -> None:
    said = f"W: Download is performed unsandboxed\nheld\t{NAME}\tindex\t{GOOD}\t1640\nE: 404\n"
    assert parse_held(said) == {NAME: Held(f"{GATHERED}/{NAME}", GOOD, 1640, "index")}


@pytest.mark.parametrize(
    ("family", "depot", "file"), [("deb", AptFileSource(), COMPUTE), ("rpm", DnfFileSource(), RPM)]
)
def test_nothing_of_a_package_stands_in_the_text_of_a_script(family: str, depot: FileSource, file: PackageFile) -> None:
    for argv in (depot.look([file])[0], depot.download([file], 7), depot.rebuild(file)):
        assert argv[:2] == ("sh", "-c") and not any(file.name in word for word in argv if "\n" in word)


WEAK = re.compile(
    r"trusted=yes|--allow-unauthenticated|--force-yes|AllowInsecure|--nogpgcheck|gpgcheck=|--nosignature|--nodigest"
)


@pytest.mark.parametrize(("depot", "file"), [(AptFileSource(), COMPUTE), (DnfFileSource(), RPM)])
def test_no_command_weakens_a_check_of_signatures(depot: FileSource, file: PackageFile) -> None:
    for argv in (depot.look([file])[0], depot.download([file], 7), depot.rebuild(file)):
        assert not any(WEAK.search(word) for word in argv)


def test_only_a_call_of_the_package_manager_is_made_to_know_of_files() -> None:
    delivered = Delivered("apt", ("/x.deb",), ("--with-source", "/x.deb"))
    assert delivered.known_to(("apt-get", "-s", "install")) == ("apt-get", "--with-source", "/x.deb", "-s", "install")
    dnf = Delivered("dnf4", ("/x.rpm",), ("--setopt=pluginpath=/x",))
    wrapped = ("sh", "-c", "script", "sh", "{}", "dnf", "-y", "history", "replay", "/dev/stdin")
    assert dnf.known_to(wrapped)[4:8] == ("{}", "dnf", "--setopt=pluginpath=/x", "-y")
    assert Delivered("apt", (), ()).known_to(("true",)) == ("true",)
    with pytest.raises(InvalidInput):
        delivered.known_to(("dpkg", "--purge", "x"))


def test_of_a_transaction_only_what_installs_knows_of_files_and_they_go_at_its_end() -> None:
    deb = Delivered("apt", ("/x.deb",), ("--with-source", "/x.deb"))
    change = (("sh", "-c", "loop", "sh", "apt-get", "install"), ("apt-mark", "auto", "x"), ("dpkg", "--purge", "y"))
    first, *rest = deb.known_to_all(change)
    assert first[4:] == ("apt-get", "--with-source", "/x.deb", "install") and tuple(rest) == change[1:]
    assert deb.withdrawal == (("rm", "-rf", "--", DELIVERED),) and Delivered("apt", (), ()).withdrawal == ()
    rpm = Delivered("dnf4", (), ("--setopt=*.skip_if_unavailable=True",))
    change = (
        ("sh", "-c", "loop", "sh", "{}", "dnf", "-y", "history", "replay", "/dev/stdin"),
        ("dnf", "mark", "remove", "x"),
    )
    first, *rest = rpm.known_to_all(change)
    assert first[5:8] == ("dnf", "--setopt=*.skip_if_unavailable=True", "-y") and tuple(rest) == change[1:]
    assert rpm.withdrawal == ()


def test_only_what_did_not_come_is_taken_for_not_fetched() -> None:
    apt = "Err:1 http://10.0.0.1 a all 1\nE: Unable to fetch some archives, maybe run apt-get update or try with --fix-missing?"
    assert unfetched(CommandFailed("cmp1", "apt-get", 100, apt))
    assert unfetched(CommandFailed("rcmp1", "dnf", 1, "Error: Error downloading packages:\n  Cannot download a-1.rpm"))
    assert not unfetched(CommandFailed("cmp1", "postinst of a", 1, "dpkg: error processing package a (--configure):"))


@pytest.mark.parametrize(
    "line",
    [
        "dpkg-deb: error: copying failed: No space left on device",
        "E: You don't have enough free space in /var/cache/apt/archives/.",
        "mariadb-dump: Error writing file 'x' (errno 28 \"No space\")",
        "ERROR 1021 (HY000): Disk full (/tmp); (Errcode: 28)",
    ],
)
def test_the_last_line_that_tells_of_a_full_disk_is_found(line: str) -> None:
    assert full(f"No space left on device: an earlier one\n  {line} \nE: Unable to fetch some archives") == line


def test_other_failures_tell_of_no_full_disk() -> None:
    assert full("E: Unable to locate package nova\nerrno 280") == ""
