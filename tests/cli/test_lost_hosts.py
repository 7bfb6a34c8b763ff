"""Hosts that are down, or say what cannot be read: in nobody's way who is not concerned, and a finding of their own where they are."""

import json

import pytest
from click.testing import Result

from tests.cli.site import Site
from tests.cli.test_forward import NAME, present
from tests.fake.fleet import open_fleet

BROKEN = "E: Malformed entry 57 in list file /etc/apt/sources.list.d/own.list (Component)\nE: The list of sources could not be read."


def break_sources(site: Site, host: str) -> None:
    found = open_fleet(site.directory / "hosts").hosts[host]
    found.state.told["policy"] = f"100 {BROKEN}"
    found.save()


def take_down(site: Site, host: str) -> None:
    (site.directory / "hosts" / f"{host}.gone").touch()


def cut_off(site: Site, host: str) -> None:
    """A package of the host is half-configured, which no run goes past there."""
    found = open_fleet(site.directory / "hosts").hosts[host]
    found.state.packages["less"].state = "half-configured"
    found.save()


LOST = pytest.mark.parametrize("lose", [take_down, break_sources, cut_off], ids=["down", "broken", "half"])


def call(site: Site, *argv: str, code: int = 0) -> Result:
    result = site.call(*argv)
    assert result.exit_code == code, result.output
    return result


def saved(site: Site) -> str:
    """A plan for cmp2 alone."""
    argv = ("plan", NAME, "--limit", "cmp2", "--set", "group_network=", "--out", "plan.json")
    call(site, *argv)
    return "plan.json"


@LOST
def test_a_saved_plan_runs_while_a_host_outside_it_is_lost(havana: Site, lose: object) -> None:
    plan, before = saved(havana), present(havana)
    lose(havana, "net1")  # type: ignore[operator]
    call(havana, "check", plan)
    call(havana, "run", plan, "--yes")
    after = present(havana)
    changed = {name for name in before if before[name] != after[name] and name != "net1"}
    assert changed == {"cmp2"}


@LOST
def test_a_scenario_runs_while_a_host_of_none_of_its_groups_is_lost(havana: Site, lose: object) -> None:
    more = ("--set", "group_network=")
    lose(havana, "net1")  # type: ignore[operator]
    call(havana, "check", NAME, *more)
    call(havana, "run", NAME, *more, "--yes")


def test_a_saved_plan_waits_for_a_host_of_its_own(havana: Site) -> None:
    plan = saved(havana)
    take_down(havana, "cmp2")
    assert "host-unreachable" in call(havana, "check", plan, code=30).stdout
    assert "cmp2: no route" in call(havana, "run", plan, "--yes", code=30).stderr


def test_a_broken_sources_file_is_a_finding_of_its_host(havana: Site) -> None:
    break_sources(havana, "cmp1")
    found = json.loads(call(havana, "check", NAME, "-o", "json", code=24).stdout)["findings"]
    (one,) = (one for one in found if one["key"] == "host-unreadable")
    assert (one["host"], one["severity"]) == ("cmp1", "blocking")
    assert one["text"].startswith(
        "cmp1: apt-cache policy: the command ended with status 100; E: Malformed entry 57 in list file"
    )
    assert "apt-cache policy" in one["remedy"] and "--limit" in one["remedy"]


@pytest.mark.parametrize("verb", ["plan", "run"])
def test_nothing_is_planned_without_a_host_that_cannot_be_read_until_it_is_left_out(havana: Site, verb: str) -> None:
    break_sources(havana, "cmp1")
    more = ("--yes",) if verb == "run" else ()
    told = call(havana, verb, NAME, *more, code=24).stderr
    assert "own.list" in told and "not read: cmp1" in told and "--limit" in told and "line 5" not in told
    assert "prepare" in call(havana, verb, NAME, "--limit", "!cmp1", "--diff", *more).output
