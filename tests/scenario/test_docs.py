"""docs/scenarios.md: every key that the parser knows is in it, and every example loads."""

import re
from pathlib import Path

import pytest

from nornir_upgrade.scenario import loader, parser, repositories
from nornir_upgrade.scenario.model import SERIAL

PAGE = (Path(__file__).parents[2] / "docs/scenarios.md").read_text()
EXAMPLES = {
    name: re.sub(r"(?m)^" + indent, "", body)
    for indent, name, body in re.findall(r"(?ms)^( *)```yaml\n *# (\S+\.yaml)\n(.*?)^ *```$", PAGE)
}
SECTIONS = {
    "## The file": sum(parser.TOP, ()),
    "### Settings": sum(parser.SETTING, ()),
    "### Repositories": (
        *repositories.KEYS,
        *repositories.OLD,
        *repositories.NEW,
        *repositories.REWRITE,
    ),
    "### Databases": sum(parser.DATABASES, ()),
    "### Services": sum(parser.SERVICE, ()),
    "### Stages": sum(parser.STAGE, ()),
    "### Edits": sum(parser.EDIT, ()),
    "### Origins": sum(parser.ONLY_FROM, ()),
}


@pytest.mark.parametrize("heading", SECTIONS)
def test_a_section_has_every_key_and_no_other(heading: str) -> None:
    section = re.split(r"(?m)^##", PAGE.partition(f"{heading}\n")[2])[0]
    assert set(re.findall(r"(?m)^\| `(\w+)` \|", section)) == set(SECTIONS[heading])


@pytest.mark.parametrize("name", EXAMPLES)
def test_an_example_loads(name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text(EXAMPLES[name])
    assert loader.load(str(tmp_path / name)).name == name.removesuffix(".yaml")


def test_the_page_has_examples_the_defaults_and_the_shipped_ones() -> None:
    assert len(EXAMPLES) == 7
    assert f'`"{SERIAL}"`' in PAGE
    assert all(f"| `{name}` |" in PAGE for name in loader.names())
