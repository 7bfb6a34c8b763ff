"""The proof through the command line, on fake hosts: a host without a way back is not touched, but with consent."""

from nornir_upgrade.core.facts.gather import gather
from tests.cli.site import Site
from tests.fake.fleet import open_fleet

NAME = "service-by-service"
OLD_SOURCE = "/etc/apt/sources.list.d/cloud-havana.list"


def lose(site: Site, host: str) -> None:
    """Afterwards the old versions are in no repository of the host, and none is kept."""
    found = open_fleet(site.directory / "hosts").hosts[host]
    del found.state.files[OLD_SOURCE]
    found.save()
    site.config.write_text("user_defined:\n  state: .state\n  keep: none\n")


def version(site: Site, host: str) -> str:
    packages = gather(open_fleet(site.directory / "hosts").hosts[host]).packages
    return next(one.version for one in packages if one.name == "nova-compute")


def test_a_host_without_a_way_back_is_refused_by_name_and_goes_on_with_consent(havana: Site) -> None:
    lose(havana, "cmp1")
    old = version(havana, "cmp1")
    ways = havana.json("plan", NAME, "--limit", "cmp1,cmp2")["ways_back"]
    assert [(way["hosts"], way["verdict"]) for way in ways] == [(["cmp1"], "no way back"), (["cmp2"], "reversible")]

    one = ("run", NAME, "--limit", "cmp1", "--yes")
    for consent in ((), ("--accept-no-way-back", "cmp2")):
        refused = havana.call(*one, *consent)
        assert refused.exit_code == 24 and f"cmp1: no way back: nova-compute:all {old}" in refused.stderr
    assert havana.json("history")["runs"] == [] and version(havana, "cmp1") == old

    assert havana.call(*one, "--accept-no-way-back", "cmp1").exit_code == 0
    assert version(havana, "cmp1") != old
