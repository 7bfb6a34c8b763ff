"""Pass: one pass over a document of rpm-md, element by element, with the checks for every such document. Strict.

Untrusted XML: a document with a DOCTYPE is refused, so that no entity is ever defined, let alone expanded.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import ClassVar
from xml.parsers import expat

from nornir_upgrade.core.errors import InvalidInput
from nornir_upgrade.core.version import nevra


class Pass(ABC):
    """The pass. Its heirs say which `root` they read and what that is, get each element as it begins and as it ends, and count
    the packages that they have `seen`: as many as the root says.
    """

    root: ClassVar[str]
    what: ClassVar[str]

    def __init__(self, source: str) -> None:
        self.seen = 0
        self._source = source
        self._path: list[str] = []
        self._text: list[str] = []
        self._said = -1
        self._parser = expat.ParserCreate(namespace_separator=" ")
        self._parser.buffer_text = True
        self._parser.StartElementHandler = self._start
        self._parser.EndElementHandler = self._end
        self._parser.CharacterDataHandler = self._text.append
        self._parser.StartDoctypeDeclHandler = self._refuse_doctype

    @abstractmethod
    def begin(self, depth: int, tag: str, attributes: dict[str, str]) -> None:
        """An element begins. `depth`: 1 for a package."""

    @abstractmethod
    def end(self, depth: int, tag: str) -> None:
        """An element ends. `text` is its text since its last inner element."""

    @property
    def text(self) -> str:
        """The text since an element last began or ended."""
        return "".join(self._text).strip()

    @property
    def parent(self) -> str:
        """The element around the current one."""
        return self._path[-2]

    def read(self, data: bytes) -> None:
        """Read all of `data`. Raises `InvalidInput` if it is not such a document, is cut off or not to be trusted."""
        try:
            self._parser.Parse(data, True)
        except expat.ExpatError as error:
            raise InvalidInput(
                f"{self._source}, line {error.lineno}: damaged or cut off: {expat.ErrorString(error.code)}"
            ) from None
        if self.seen != self._said:
            raise self.fail(f"{self.seen} packages, where it says that there are {self._said}")

    def fail(self, reason: str) -> InvalidInput:
        """The error at the current place."""
        return InvalidInput(f"{self._source}, line {self._parser.CurrentLineNumber}: {reason}")

    def package(self, attributes: Mapping[str, str]) -> nevra.Nevra:
        """The package with these attributes. Raises `InvalidInput` if an attribute is missing or wrong."""
        try:
            return nevra.make(*(attributes[key] for key in ("name", "epoch", "ver", "rel", "arch")))
        except KeyError as missing:
            raise self.fail(f"the package has no {missing}") from None
        except InvalidInput as refusal:
            raise self.fail(refusal.message) from None

    def _refuse_doctype(self, *_: object) -> None:
        raise self.fail("a DOCTYPE, which no repository index has")

    def _start(self, tag: str, attributes: dict[str, str]) -> None:
        if not self._path:
            if tag != self.root or not attributes.get("packages", "").isdecimal():
                raise self.fail(f"not the {self.what} of an rpm repository")
            self._said = int(attributes["packages"])
        self._path.append(tag)
        self._text.clear()
        self.begin(len(self._path) - 1, tag, attributes)

    def _end(self, tag: str) -> None:
        self.end(len(self._path) - 1, tag)
        self._text.clear()
        self._path.pop()
