"""Facts: read from a recorded answer of a host, and refused when it is anything else."""

import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nornir_upgrade.core.errors import InvalidInput
from nornir_upgrade.core.facts import gather
from nornir_upgrade.core.facts.gather import Conffile, Database, HostFacts
from nornir_upgrade.core.facts.services import Service
from nornir_upgrade.core.packaging.deb import facts as facts_deb
from nornir_upgrade.core.transport.sections import split

ANSWER = (Path(__file__).parents[2] / "cases" / "facts" / "ctl1.txt").read_text()
ANSWERS = {"deb": ANSWER, "rpm": (Path(__file__).parents[2] / "cases" / "facts" / "rctl1.txt").read_text()}
BOUNDARY = "===4d2f0b7c9a1e43d5a8f6b3c2d1e0f987"


@pytest.fixture(scope="module")
def known() -> HostFacts:
    return parse(ANSWER)


def parse(text: str) -> HostFacts:
    return gather.parse(text, "ctl1", "2014-05-01T00:00:00+00:00")


def changed(old: str, new: str, answer: str = ANSWER) -> str:
    assert old in answer
    return answer.replace(old, new, 1)


def test_the_operating_system(known: HostFacts) -> None:
    system = known.os
    assert (system.id, system.version, system.codename) == ("debian", "12", "bookworm")
    assert (system.family, system.arch, system.kernel) == ("deb", "amd64", "6.1.0-37-amd64")
    assert len(system.machine_id) == 32


def test_packages_with_their_marks(known: HostFacts) -> None:
    by_name = {package.name: package for package in known.packages}
    assert len(by_name) == len(known.packages) > 150
    assert not by_name["mariadb-server"].auto and by_name["mariadb-client"].auto
    assert all(package.state == "installed" for package in known.packages)


def test_conffiles_with_what_stands_there(known: HostFacts) -> None:
    by_path = {file.path: file for file in known.conffiles}
    assert by_path["/etc/adduser.conf"].package == "adduser"
    assert all(len(file.digest) in (0, 64) for file in known.conffiles)
    assert by_path["/etc/adduser.conf"].digest


def test_a_conffile_that_is_gone_has_no_digest_and_flags_are_read() -> None:
    line = " /etc/adduser.conf cc3493ecd2d09837ffdcc3e25fdfff18\n"
    more = " /etc/with space.conf newconffile\n /etc/old.conf cc3493ecd2d09837ffdcc3e25fdfff18 obsolete remove-on-upgrade\n"
    conffiles = parse(changed(line, line + more)).conffiles
    assert Conffile("/etc/with space.conf", "adduser", "", False) in conffiles
    assert Conffile("/etc/old.conf", "adduser", "", True) in conffiles


def test_the_host_picks_its_architecture_and_its_conffiles_from_the_list() -> None:
    packages = "adduser\tall\t3.134\tinstall\tok\tinstalled\n", "dpkg\tamd64\t1.21.22\tinstall\tok\tinstalled\n"
    digest = "cc3493ecd2d09837ffdcc3e25fdfff18"
    files = (
        f" /etc/a {digest}\n",
        f" /etc/b c newconffile\n /etc/{digest} {digest} obsolete\n /etc/e {digest} remove-on-upgrade\n",
    )
    marked = f"\n{BOUNDARY} packages 0\n"
    listed = f"{packages[0]}{files[0]}\n{packages[1]}{files[1]}\n{marked}"
    argv = ["awk", "-F", "\t", facts_deb._PICK, "-"]
    done = subprocess.run(argv, input=listed, capture_output=True, text=True, check=True)
    assert done.stdout == f"{packages[0]}{files[0]}{packages[1]}{files[1]}{marked[1:]}"
    assert done.stderr.splitlines() == ["amd64", "/etc/a", "/etc/b c", f"/etc/{digest}", "/etc/e"]


def test_the_host_picks_what_apt_marks_as_automatic(tmp_path: Path) -> None:
    (states := tmp_path / "extended_states").write_text(
        "Package: dpkg\nArchitecture: amd64\nAuto-Installed: 1\n\nPackage: less\nArchitecture: i386\nAuto-Installed: 0\n\n"
        "Package: nano\nArchitecture: i386\nX-Later: yes\nAuto-Installed: 1\n\nPackage less\nAuto-Installed:\n\n"
        "Architecture: amd64\nAuto-Installed: 1\n"
    )
    argv = ["awk", "-F", "\t", facts_deb._PICK, "-", str(states)]
    done = subprocess.run(argv, input="dpkg\tamd64\n", capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == [
        "dpkg\tamd64",
        "dpkg:amd64",
        "nano:i386",
        "Package less",
        "Auto-Installed:",
        ":amd64",
    ]


def test_services_are_those_that_can_be_enabled(known: HostFacts) -> None:
    services = {service.name: service for service in known.services}
    assert services["mariadb"] == Service("mariadb", True, "enabled")
    assert services["rsync"] == Service("rsync", False, "disabled")
    # Aliases (mysql, sshd), templates (getty@), static units and what a package masks are no services of their own.
    assert not {"mysql", "sshd", "getty@", "dbus", "systemd-journald", "sudo"} & set(services)


def test_a_masked_and_a_generated_service_are_told() -> None:
    line = "/etc/systemd/system/sshd.service\t"
    answer = changed(line, f"/etc/systemd/system/cron.service\t/dev/null\n{line}")
    answer = answer.replace(
        f"\n\n{BOUNDARY} files", f"\n/run/systemd/generator.late/legacy.service\n\n{BOUNDARY} files"
    )
    words = {service.name: service.enabled for service in parse(answer).services}
    assert (words["cron"], words["legacy"]) == ("masked", "generated")


def test_sources_and_databases(known: HostFacts) -> None:
    paths = [source.path for source in known.sources]
    assert "/etc/apt/sources.list.d/cloud-havana.list" in paths and "/usr/share/keyrings/lab-archive.gpg" in paths
    assert not [path for path in paths if "apt.conf" in path]
    assert [repository.codename for repository in known.repositories] == ["havana"]
    assert [database.name for database in known.databases] == ["keystone"]


def test_two_databases_are_sorted() -> None:
    end = f"\n{BOUNDARY} end 0"
    answer = changed(end, f"{'0' * 64}  -\n\n{BOUNDARY} database cinder 0{end}")
    assert parse(answer).databases[0] == Database("cinder", "0" * 64)


def test_everything_is_sorted(known: HostFacts) -> None:
    assert [file.path for file in known.conffiles] == sorted(file.path for file in known.conffiles)
    assert [service.name for service in known.services] == sorted(service.name for service in known.services)


@pytest.mark.parametrize("answer", ANSWERS.values(), ids=ANSWERS)
@given(st.data())
def test_an_answer_that_is_cut_off_anywhere_is_refused(answer: str, data: st.DataObject) -> None:
    length = data.draw(st.integers(min_value=0, max_value=len(answer) - 2))
    with pytest.raises(InvalidInput):
        parse(answer[:length])


@pytest.mark.parametrize(
    ("family", "old", "new", "reason"),
    [
        ("deb", "facts 1 ", "facts 2 ", "line 1: no facts"),
        ("deb", "facts 1 ", "Last login: yesterday\nfacts 1 ", "line 1: no facts"),
        ("deb", f"{BOUNDARY} end 0", f"{BOUNDARY} end 0\nlogout", "cut off, or is none of ours"),
        (
            "deb",
            f"{BOUNDARY} packages 0",
            f"{BOUNDARY} packages 2",
            "line 21: packages: the command ended with status 2",
        ),
        ("deb", f"{BOUNDARY} auto 0", f"{BOUNDARY} auto 100", "auto: the command ended with status 100"),
        ("deb", f"{BOUNDARY} digests 0", f"{BOUNDARY} digests 127", "digests: .* 127"),
        (
            "deb",
            "mariadb-client:amd64\n",
            "Auto-Installed 1\n",
            "line [0-9]+: auto: no mark of a package: 'Auto-Installed 1'",
        ),
        ("deb", "mariadb-client:amd64\n", ":amd64\n", "auto: no mark of a package"),
        ("deb", f"{BOUNDARY} auto 0", f"{BOUNDARY} auto", "no end of a section"),
        ("deb", f"{BOUNDARY} auto 0", f"{BOUNDARY} kernel 0", "no end of a section"),
        ("deb", f"{BOUNDARY} database keystone 0", f"{BOUNDARY} database keystone 2", "keystone: .* status 2"),
        ("deb", "adduser\tall\t", "adduser\t", "line 21: packages: 5 fields"),
        ("deb", " /etc/adduser.conf ", " etc/adduser.conf ", "line 22: packages: no conffile"),
        ("deb", "Package files:\n 100 /var", "Package files:\n hundert /var", "policy: not understood"),
        ("rpm", "auto python-nova.noarch", "auto python-nova.pdp11", "why: 'pdp11' is no architecture"),
        ("rpm", "auto python-nova.noarch", "perhaps python-nova.noarch", "why: not understood"),
        ("rpm", f"{BOUNDARY} why 0", f"{BOUNDARY} why 1", "why: the command ended with status 1"),
        ("rpm", "[cloud-havana]", "[cloud-havana", "repositories: no file of repositories"),
        ("rpm", "[cloud-havana]", "[--repo]", "repositories: '--repo' is no name"),
        ("rpm", "less\t0\t590", "less\t0", "packages: 4 fields instead of 5"),
        ("rpm", f"{BOUNDARY} several 0", f"{BOUNDARY} others 0", "the answer lacks several"),
    ],
)
def test_a_foreign_answer_is_refused_with_line_and_reason(family: str, old: str, new: str, reason: str) -> None:
    with pytest.raises(InvalidInput, match=reason):
        parse(changed(old, new, ANSWERS[family]))


def test_sections_know_their_lines_and_carry_anything() -> None:
    sections = split("first\n\n=== a 0\nx\n== no end\n\n=== b 3\n\n=== end 0\n", "===")
    assert (sections["a"].text, sections["a"].line) == ("first\n", 1)
    assert (sections["b"].text, sections["b"].line, sections["b"].status) == ("x\n== no end\n", 4, 3)
    assert str(sections["b"].fail("bad", 1)) == "line 5: b: bad"
