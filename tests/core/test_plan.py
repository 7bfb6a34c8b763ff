"""What a plan refuses to say."""

import pytest

from nornir_upgrade.core import codec
from nornir_upgrade.core.errors import InvalidInput
from nornir_upgrade.core.plan import Plan, Wave, Work
from nornir_upgrade.steps.ini import SetOption

STEP = SetOption("/etc/a.conf", "one", "two", "three")


@pytest.mark.parametrize("part", ["work", "gates"])
def test_a_wave_holds_one_list_of_steps_a_host(part: str) -> None:
    lists = (Work("a", (STEP,)), Work("b", (STEP,)), Work("a", (STEP,)))
    with pytest.raises(InvalidInput, match=r"wave 'w' .* for a$"):
        Wave("w", **{"work": (), part: lists})


def test_a_saved_plan_is_refused_as_well() -> None:
    text = codec.dumps(Plan("forward", "x", (Wave("w", (Work("a", (STEP,)),)),)))
    doubled = text.replace('"work":[', '"work":[{"assumes":"","host":"a","steps":[]},')
    with pytest.raises(InvalidInput):
        codec.loads(doubled, Plan)
