"""The rooms: each has a face, none is crowded, and a public class has one home."""

import ast
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
MODULES, LINES = 20, 350
SHARED_NAMES: frozenset[str] = frozenset()
"""Public classes that may have two homes, each with its reason."""


def rooms(root: Path = ROOT) -> list[Path]:
    """The folders of product code. The lab's `data` is what its hosts run."""
    found = (one.parent for top in ("nornir_upgrade", "rollback") for one in (root / top).rglob("__init__.py"))
    return sorted(one for one in found if "data" not in one.relative_to(root).parts)


def modules(room: Path) -> list[Path]:
    return sorted(one for one in room.glob("*.py") if one.name != "__init__.py")


def twice(files: Iterable[Path]) -> dict[str, list[str]]:
    """Public classes that more than one of `files` defines, and which do."""
    homes = defaultdict(list)
    for file in files:
        for node in ast.parse(file.read_text()).body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                homes[node.name].append(str(file))
    return {name: where for name, where in homes.items() if len(where) > 1}


@pytest.mark.parametrize("room", rooms(), ids=lambda room: str(room.relative_to(ROOT)))
def test_a_room_has_a_face(room: Path) -> None:
    face = ast.get_docstring(ast.parse((room / "__init__.py").read_text())) or ""
    assert len(face.splitlines()) >= 3, (
        f"{room}/__init__.py: say its noun, what comes in, what goes out, who imports it"
    )


@pytest.mark.parametrize("room", rooms(), ids=lambda room: str(room.relative_to(ROOT)))
def test_a_room_is_not_crowded(room: Path) -> None:
    assert len(modules(room)) <= MODULES
    long = {one.name: lines for one in modules(room) if (lines := len(one.read_text().splitlines())) > LINES}
    assert long == {}


def test_a_public_class_has_one_home() -> None:
    found = twice(one for room in rooms() for one in modules(room))
    assert {name: where for name, where in found.items() if name not in SHARED_NAMES} == {}


def test_a_class_with_two_homes_is_found(tmp_path: Path) -> None:
    for name, text in (("a.py", "class One: ...\n"), ("b.py", "class One: ...\nclass Two: ...\nclass _Two: ...\n")):
        (tmp_path / name).write_text(text)
    assert list(twice(tmp_path.glob("*.py"))) == ["One"]
