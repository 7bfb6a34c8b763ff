"""dpkg and apt: what is said to them, and what they say, on recorded output."""

from dataclasses import replace
from pathlib import Path

import pytest

from nornir_upgrade.core import codec
from nornir_upgrade.core.errors import CommandFailed, InvalidInput, PackageManagerLocked, Unobtainable
from nornir_upgrade.core.packaging.deb import apt, transaction
from nornir_upgrade.core.packaging.model import (
    Package,
    PackageChange,
    PackageName,
    PackageWant,
    Repository,
    Transaction,
    differences,
    digest_of_packages,
    implied,
)
from nornir_upgrade.core.transport.host import Result
from nornir_upgrade.core.transport.sections import Section
from nornir_upgrade.steps.packages import SetPackages, surprises

CASES = Path(__file__).parents[3] / "cases" / "apt"
APT = apt.Apt()
HAVANA, ICEHOUSE = "1:2013.2-0ubuntu1~cloud0", "1:2014.1-0ubuntu1~cloud0"


def case(name: str) -> str:
    return (CASES / f"{name}.txt").read_text()


def present(name: str = "query") -> dict[str, Package]:
    return {str(package.key): package for package in APT.parse_query(case(name))}


def wants(version: str) -> tuple[PackageWant, ...]:
    marks = {"nova-compute": False, "nova-common": True, "python-nova": True}
    return tuple(PackageWant(name, "all", version, "installed", auto) for name, auto in marks.items())


# ---------------------------------------------------------------------- the list of packages


def test_the_list_of_packages_is_read() -> None:
    packages = present()
    assert packages["nova-common:all"] == Package("nova-common", "all", HAVANA, "installed", "install", True)
    assert not packages["nova-compute:all"].auto
    assert list(packages) == sorted(packages, key=lambda key: key.split(":"))


def test_marks_of_a_foreign_architecture_are_its_own() -> None:
    packages = present("query_foreign")
    assert packages["libc6:i386"].auto and not packages["libc6:amd64"].auto
    assert not packages["zlib1g:i386"].auto
    assert packages["less:amd64"].hold
    assert apt.native(packages.values()) == "amd64"


def test_an_interrupted_package_is_seen() -> None:
    package = present("query_half_configured")["nova-compute:all"]
    assert (package.state, package.version) == ("half-configured", ICEHOUSE)
    assert package.interrupted and package.unpacked


def test_a_package_that_dpkg_only_heard_of_is_not_there() -> None:
    assert apt.parse_package("ghost\t\t\tunknown\tok\tnot-installed") is None


@pytest.mark.parametrize("cut", [2, 6, 200, 5000])
def test_a_list_that_is_cut_off_is_refused(cut: int) -> None:
    with pytest.raises(InvalidInput, match="cut off at line"):
        APT.parse_query(case("query")[:-cut])


def test_a_version_that_dpkg_no_longer_takes_is_read_where_it_is_installed() -> None:
    (package,) = apt.parse_packages(["old\tall\tIII-alpha_9\tinstall\tok\tinstalled"])
    assert package.version == "III-alpha_9"


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("ii  bash  5.2  amd64  GNU shell", "1 fields instead of 6"),
        ("bash\tamd64\t5.2\tinstall\tok\tinstalled\tmore", "7 fields"),
        ("bash\tamd64\t5.2\tinstaliert\tok\tinstalled", "unknown status"),
        ("ba sh\tamd64\t5.2\tinstall\tok\tinstalled", "no name"),
        ("bash\tamd64\t5 2\tinstall\tok\tinstalled", "no deb version"),
        ("bash\tamd64\t\tinstall\tok\tinstalled", "no deb version"),
        ("bash\t$(id)\t5.2\tinstall\tok\tinstalled", "architecture"),
    ],
)
def test_a_line_that_is_none_is_refused_by_number(line: str, reason: str) -> None:
    good = "dpkg\tamd64\t1.21\tinstall\tok\tinstalled"
    with pytest.raises(InvalidInput, match=f"line 2: .*{reason}"):
        apt.parse_packages([good, line])


def test_the_digest_tells_of_state_and_not_of_marks() -> None:
    packages = tuple(present().values())
    digest = digest_of_packages(packages)
    assert digest == digest_of_packages(replace(package, auto=not package.auto) for package in reversed(packages))
    assert digest != digest_of_packages((replace(packages[0], broken=True), *packages[1:]))


# ---------------------------------------------------------------------- simulations


def test_a_simulated_upgrade_is_read() -> None:
    said = APT.parse_simulation(case("simulation_upgrade"), tuple(present().values()))
    assert said.changes == (
        PackageChange("nova-common", "all", HAVANA, ICEHOUSE),
        PackageChange("nova-compute", "all", HAVANA, ICEHOUSE),
        PackageChange("python-nova", "all", HAVANA, ICEHOUSE),
        PackageChange("python-novaclient", "all", "1:2.15.0-0ubuntu1~cloud0", "1:2.17.0-0ubuntu1~cloud0"),
        PackageChange("python-oslo.messaging", "all", "", "1.3.0-0ubuntu1~cloud0"),
    )


def test_a_simulated_downgrade_is_what_was_implied() -> None:
    now = tuple(present("query_half_configured").values())
    want = (
        *wants(HAVANA),
        PackageWant("python-novaclient", "all", "1:2.15.0-0ubuntu1~cloud0", "installed", True),
        PackageWant("python-oslo.messaging", "all", "", "absent"),
    )
    assert APT.parse_simulation(case("simulation_downgrade"), now) == implied(want, now)


def test_a_removal_tells_its_architecture_or_means_the_hosts_own() -> None:
    said = APT.parse_simulation(case("simulation_foreign"), tuple(present("query_foreign").values()))
    assert [(change.name, change.arch, bool(change.new)) for change in said.changes] == [
        ("less", "amd64", False),
        ("libexpat1", "i386", True),
        ("zlib1g", "i386", False),
    ]


def test_a_line_of_a_simulation_that_is_not_understood_is_refused() -> None:
    with pytest.raises(InvalidInput, match="line 2"):
        APT.parse_simulation("Reading package lists...\nInst what is this\n", ())


def test_surprises_are_what_was_not_asked_for() -> None:
    now = tuple(present().values())
    said = APT.parse_simulation(case("simulation_upgrade"), now).changes
    lines = surprises(said, implied(wants(ICEHOUSE), now).changes, wants(ICEHOUSE))
    assert [line.split(" ")[3].split(":")[0] for line in lines] == ["python-novaclient", "python-oslo.messaging"]
    assert surprises((), implied(wants(ICEHOUSE), now).changes, wants(ICEHOUSE))[0].startswith(
        "would not change nova-common"
    )


def test_mending_a_named_package_is_no_surprise_and_another_is() -> None:
    again = PackageChange("nova-common", "all", HAVANA, HAVANA)
    assert surprises((again,), (), wants(HAVANA)) == ()
    assert surprises((replace(again, name="bash"),), (), wants(HAVANA)) == (
        f"would also change bash:all {HAVANA} -> {HAVANA}",
    )


# ---------------------------------------------------------------------- what is said to apt


def change(
    want: tuple[PackageWant, ...], now: tuple[Package, ...], *, downgrade: bool = False
) -> list[tuple[str, ...]]:
    return list(APT.change(want, now, downgrade=downgrade, wait=7))


def test_one_transaction_names_all_and_marks_are_put_back() -> None:
    now = tuple(present().values())
    install, auto, manual, unhold = change(wants(ICEHOUSE), now)
    assert install[:3] == ("apt-get", "-o", "DPkg::Lock::Timeout=7")
    assert install[install.index("--") + 1 :] == tuple(f"{one.key}={ICEHOUSE}" for one in wants(ICEHOUSE))
    assert auto == ("apt-mark", "auto", "nova-common:all", "python-nova:all")
    assert manual == ("apt-mark", "manual", "nova-compute:all")
    assert unhold[:2] == ("apt-mark", "unhold") and len(unhold) == 5


def test_what_goes_is_named_and_purged_only_where_wanted() -> None:
    now = tuple(present().values())
    want = (
        PackageWant("nova-compute", "all", "", "absent"),
        PackageWant("nova-common", "all", "", "config-files"),
        PackageWant("never-there", "all", "", "absent"),
    )
    assert [command[-2:] for command in change(want, now)] == [
        ("nova-compute:all-", "nova-common:all-"),
        ("--purge", "nova-compute:all"),
    ]


def test_apts_safety_is_given_up_only_as_far_as_asked() -> None:
    now = present()
    plain = change(wants(ICEHOUSE), tuple(now.values()))[0]
    assert not {"--allow-downgrades", "--allow-change-held-packages", "--reinstall"} & set(plain)
    assert "--allow-downgrades" in change(wants(HAVANA), tuple(now.values()), downgrade=True)[0]
    now["nova-common:all"] = replace(now["nova-common:all"], selection="hold")
    assert "--allow-change-held-packages" in change(wants(ICEHOUSE), tuple(now.values()))[0]
    now["bash:amd64"] = replace(now["bash:amd64"], selection="hold")
    now["nova-common:all"] = replace(now["nova-common:all"], selection="install")
    assert "--allow-change-held-packages" not in change(wants(ICEHOUSE), tuple(now.values()))[0]


def test_a_broken_package_is_installed_anew_alone() -> None:
    now = present()
    now["nova-common:all"] = replace(now["nova-common:all"], state="half-installed", broken=True)
    install = change(wants(HAVANA), tuple(now.values()))[0]
    assert "--reinstall" in install
    assert install[install.index("--") + 1 :] == (f"nova-common:all={HAVANA}",)


def test_the_simulation_is_of_the_same_transaction() -> None:
    now = tuple(present().values())
    simulation = APT.simulate(wants(ICEHOUSE), now, downgrade=True)
    assert simulation[:2] == ("apt-get", "-s")
    assert simulation[2:] == change(wants(ICEHOUSE), now, downgrade=True)[0][3:]


def test_no_option_weakens_the_checks_of_signatures() -> None:
    words = " ".join(word for command in change(wants(HAVANA), (), downgrade=True) for word in command)
    assert not [bad for bad in ("force-yes", "unauthenticated", "trusted", "insecure") if bad in words]


@pytest.mark.parametrize(
    "want",
    [
        PackageWant("sudo-", "amd64", "1", "installed"),
        PackageWant("-oDir=/", "amd64", "1", "installed"),
        PackageWant("sudo", "amd64", "1/../x", "installed"),
        PackageWant("sudo", "amd64 x", "1", "installed"),
        PackageWant("sudo", "amd64", "", "installed"),
        PackageWant("*", "all", "", "absent"),
    ],
)
def test_no_order_reaches_apt_as_a_name(want: PackageWant) -> None:
    with pytest.raises(InvalidInput):
        SetPackages((want,))
    package = Package(want.name, want.arch, "1", "installed", "install", False)
    with pytest.raises(InvalidInput):
        APT.simulate((want,), (package,), downgrade=False)


# ---------------------------------------------------------------------- want and present


@pytest.mark.parametrize(
    ("found", "want", "word"),
    [
        ({}, {}, ""),
        ({"version": "2"}, {}, "is 2, wanted 1"),
        ({"state": "unpacked"}, {}, "is unpacked"),
        ({"broken": True}, {}, "reinstalled"),
        ({"auto": True}, {}, "marked auto"),
        ({"selection": "hold"}, {}, "is held"),
        ({}, {"hold": True}, "is not held"),
        ({}, {"goal": "absent"}, "is installed, wanted absent"),
        ({"state": "config-files"}, {"goal": "absent"}, "is config-files, wanted absent"),
        ({"state": "config-files"}, {"goal": "config-files"}, ""),
        ({"name": "other"}, {}, "is absent"),
        ({"name": "other"}, {"goal": "config-files"}, ""),
    ],
)
def test_differences(found: dict[str, object], want: dict[str, object], word: str) -> None:
    package = replace(Package("pkg", "all", "1", "installed", "install", False), **found)  # type: ignore[arg-type]
    lines = differences((replace(PackageWant("pkg", "all", "1", "installed"), **want),), (package,))  # type: ignore[arg-type]
    assert (word in lines[0]) if word else lines == ()


def test_a_package_that_becomes_architecture_independent_is_the_same_package() -> None:
    now = (Package("tool", "amd64", "1", "installed", "install", False),)
    want = (PackageWant("tool", "all", "2", "installed"),)
    assert implied(want, now) == Transaction((PackageChange("tool", "all", "1", "2"),))
    gone = (PackageWant("tool", "all", "", "absent"),)
    assert implied(gone, now) == Transaction(())


def test_what_apt_means_by_a_bare_name() -> None:
    packages = tuple(present("query_foreign").values())
    assert apt.resolve("libc6", "", packages) == PackageName("libc6", "amd64")
    assert apt.resolve("libc6", "i386", packages) == PackageName("libc6", "i386")


# ---------------------------------------------------------------------- what went wrong


def failed(name: str) -> Exception:
    return transaction.failure("cmp1", Result(100, case(name).encode(), b""))


def test_a_failed_script_is_named_with_its_package() -> None:
    failure = failed("failed_postinst")
    assert isinstance(failure, CommandFailed)
    assert str(failure).startswith("cmp1: postinst of nova-compute ended with status 1:")


def test_the_holder_of_the_lock_is_named() -> None:
    failure = failed("locked")
    assert isinstance(failure, PackageManagerLocked) and "7098 (python3)" in str(failure)
    failure = failed("locked_dpkg")
    assert isinstance(failure, PackageManagerLocked) and "process 7098" in str(failure)


def test_missing_versions_and_packages_are_named() -> None:
    failure = failed("missing")
    assert isinstance(failure, Unobtainable)
    assert "Version '9' for 'nova-compute'" in str(failure) and "nosuch" in str(failure)


def test_services_are_kept_stopped_by_name_only() -> None:
    command = transaction.guarded(("apt-get", "x"), ("nova-api",))
    assert command[-2:] == ("apt-get", "x") and "nova-api.service:*) exit 101" in command[4]
    assert transaction.guarded(("apt-get", "x"), ()) == ("apt-get", "x")
    for name in ("a b", "x;id", "*", "", "-x"):
        with pytest.raises(InvalidInput):
            transaction.guarded(("apt-get",), (name,))


# ---------------------------------------------------------------------- repositories


def test_repositories_are_read_with_their_release() -> None:
    havana, icehouse = apt.parse_policy(Section("policy", 0, 1, case("policy")))
    assert (havana.priority, havana.uri, havana.suite) == (500, "http://10.99.0.1:8000/havana", "havana")
    assert (icehouse.label, icehouse.origin, icehouse.component) == ("Lab Cloud Archive", "Lab Cloud", "main")


def test_a_label_may_hold_a_comma_and_a_priority_be_negative() -> None:
    text = (
        "Package files:\n  -1 http://x/y stable/main amd64 Packages\n     release o=O,a=stable,l=Big, and wide,c=main\n"
    )
    (repository,) = apt.parse_policy(Section("policy", 0, 1, text))
    assert (repository.priority, repository.label) == (-1, "Big, and wide")


def test_a_policy_in_another_language_is_refused_by_line() -> None:
    with pytest.raises(InvalidInput, match="line 12"):
        apt.parse_policy(Section("policy", 0, 10, "x:\nPackage files:\n 500 http://x stable/main amd64 Paquets\n"))


def test_of_several_failed_packages_the_one_whose_script_failed_is_the_cause() -> None:
    said = """\
dpkg: error processing package nova-api (--configure):
 dependency problems - leaving unconfigured
dpkg: error processing package nova-common (--remove):
 installed nova-common package pre-removal script subprocess returned error exit status 3
"""
    failure = transaction.failure("ctl1", Result(100, said.encode(), b""))
    assert str(failure).startswith("ctl1: prerm of nova-common ended with status 3:")


def test_a_flat_repository_is_of_no_architecture_and_its_snapshot_can_be_read() -> None:
    text = "Package files:\n 500 file:/srv/vendor ./ Packages\n     release c=\nPinned packages:\n"
    (found,) = apt.parse_policy(Section("policy", 0, 1, text))
    assert (found.uri, found.arch, found.component) == ("file:/srv/vendor", "", "")
    assert codec.loads(codec.dumps(found), Repository) == found


def test_a_medium_is_a_repository_though_its_address_holds_blanks() -> None:
    text = "Package files:\n 500 cdrom:[Debian GNU/Linux 12 _Bookworm_]/ bookworm/main amd64 Packages\n     release a=stable\n"
    (found,) = apt.parse_policy(Section("policy", 0, 1, text))
    assert (found.uri, found.suite, found.component) == ("cdrom:[Debian GNU/Linux 12 _Bookworm_]/", "stable", "main")
