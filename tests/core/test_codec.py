"""JSON there and back, and what is refused."""

import pytest

from nornir_upgrade.core import codec
from nornir_upgrade.core.errors import InvalidInput
from nornir_upgrade.core.plan import Plan
from nornir_upgrade.core.step import Step
from nornir_upgrade.core.transport.host import FileState
from nornir_upgrade.steps.files import RestoreFiles
from tests.core.toys import Exists, Note, plan_of

PLAN = plan_of({"a": [Note("/tmp/1", None)], "b": [RestoreFiles(("/etc",), (FileState("/etc", "absent"),))]},
               gates={"a": [Exists("/x")]})  # fmt: skip


def test_a_plan_comes_back_equal() -> None:
    assert codec.loads(codec.dumps(PLAN), Plan) == PLAN
    assert codec.loads(codec.dumps(PLAN, indent=2), Plan) == PLAN


def test_equal_values_have_equal_text() -> None:
    again = codec.loads(codec.dumps(PLAN), Plan)
    assert codec.dumps(again) == codec.dumps(PLAN)


def test_a_step_is_told_by_its_kind() -> None:
    step = Note("/tmp/1", "x")
    assert codec.loads(codec.dumps(step), Step) == step  # type: ignore[type-abstract]


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ('"direction":"forward"', '"direction":"sideways"', "direction"),
        ('"origin":"toy"', '"origin":7', "origin"),
        ('"origin":"toy",', "", "origin"),
        ('"origin":"toy"', '"origin":"toy","more":1', ".more"),
        ('"host":"a","steps"', '"host":"a","extra":null,"steps"', ".waves[0].gates[0].extra"),
        ('"kind":"test_note"', '"kind":"test_nothing"', "test_nothing"),
        ('"kind":"test_note"', '"kind":"test_note","deep":[]', ".waves[0].work[0].steps[0].deep"),
        ('"kind":"absent"', '"kind":"gone"', "entries"),
        ('"kind":"absent"', '"kind":"absent","weight":0', ".waves[0].work[1].steps[0].entries[0].weight"),
        ('{"direction', '{{"direction', "not JSON"),
        ('{"direction', "[" * 10000, "nested too deep"),
    ],
)
def test_what_is_not_exactly_right_is_refused_with_its_place(old: str, new: str, told: str) -> None:
    text = codec.dumps(PLAN)
    assert old in text
    with pytest.raises(InvalidInput) as caught:
        codec.loads(text.replace(old, new, 1), Plan, source="plan.json")
    assert caught.value.message.startswith("plan.json") and told in caught.value.message


def test_a_name_that_is_no_text_is_refused_before_it_is_written() -> None:
    with pytest.raises(InvalidInput, match="UTF-8"):
        codec.dumps(FileState("/etc/\udcff", "absent"))
