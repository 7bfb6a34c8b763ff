"""rpm's dependencies: a capability with a range of versions, or a boolean expression of such; and these as clauses. Pure.

The grammar is that of rpm's own parser (rpmParseDSFlags and rpmrichParse in lib/rpmds.c), what the operators mean is written in
rpm's manual, "Boolean Dependencies".
"""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import chain, product
from typing import Literal, get_args

from nornir_upgrade.core.errors import InvalidInput

Operator = Literal["", "<", "<=", "=", ">=", ">"]
Connective = Literal["and", "or", "if", "unless", "with", "without"]

_OPERATORS: dict[str, Operator] = {
    "<": "<",
    "<=": "<=",
    "=<": "<=",
    "=": "=",
    "==": "=",
    ">=": ">=",
    "=>": ">=",
    ">": ">",
}
_SIGNS = re.compile(r"[<>=]+")
_SPACE = re.compile(r"\s*")
_CHAINS = ("and", "or", "with")  # which may stand several times in a row


@dataclass(frozen=True, slots=True)
class Capability:
    """What a package provides or wants: a name, and which versions of it; all of them without operator."""

    name: str
    op: Operator = ""
    version: str = ""

    def __str__(self) -> str:
        return f"{self.name} {self.op} {self.version}" if self.op else self.name


@dataclass(frozen=True, slots=True)
class Rich:
    """A boolean expression. `if` and `unless` have three terms where there is an `else`."""

    op: Connective
    terms: tuple["Dependency", ...]

    def __str__(self) -> str:
        words = [f" {self.op} "] * (len(self.terms) - 1)
        if self.op in ("if", "unless"):
            words[1:] = [" else "] * (len(self.terms) - 2)
        return f"({''.join(chain(*zip(map(str, self.terms), [*words, ''], strict=True)))})"


Dependency = Capability | Rich


def parse(text: str, place: str = "dependency") -> Dependency:
    """The dependency that `text` is. Raises `InvalidInput` naming `place` for what rpm itself could not read."""
    reader = _Reader(text, place)
    try:
        dependency = reader.dependency()
    except RecursionError:
        raise reader.fail("nested too deep") from None
    reader.end()
    return dependency


def capability(text: str, place: str = "capability") -> Capability:
    """The plain dependency that `text` is. Raises `InvalidInput` naming `place` for a boolean one too."""
    dependency = parse(text, place)
    if isinstance(dependency, Rich):
        raise InvalidInput(f"{place}: {text!r}: no boolean dependency may stand here", hint="rpm-dependencies")
    return dependency


class _Reader:
    """A text and how far it is read."""

    def __init__(self, text: str, place: str) -> None:
        self._text, self._place, self._at = text, place, 0
        self._space()

    def fail(self, why: str) -> InvalidInput:
        return InvalidInput(f"{self._place}: {self._text!r} is no dependency of rpm: {why}")

    def end(self) -> None:
        if self._at < len(self._text):
            raise self.fail(f"it goes on with {self._text[self._at :]!r}")

    def dependency(self) -> Dependency:
        return self._rich() if self._text.startswith("(", self._at) else self._simple()

    def _rich(self) -> Dependency:
        self._at += 1
        self._space()
        terms = [self.dependency()]
        words: list[str] = []
        while not self._text.startswith(")", self._at):
            words.append(self._word("an operator"))
            terms.append(self.dependency())
        self._at += 1
        self._space()
        return self._joined(tuple(terms), words)

    def _joined(self, terms: tuple[Dependency, ...], words: list[str]) -> Dependency:
        if not words:
            return terms[0]
        first, rest = words[0], words[1:]
        chained = first in _CHAINS and all(word == first for word in rest)
        branched = first in ("if", "unless") and rest in ([], ["else"])
        if first not in get_args(Connective) or not (chained or branched or not rest):
            raise self.fail(f"{' '.join(words)!r} cannot stand together")
        return Rich(first, terms)  # type: ignore[arg-type]

    def _simple(self) -> Capability:
        name = self._word("a name")
        signs = _SIGNS.match(self._text, self._at)
        if not signs:
            return Capability(name)
        if signs[0] not in _OPERATORS:
            raise self.fail(f"{signs[0]!r} is no operator")
        self._at = signs.end()
        self._space()
        return Capability(name, _OPERATORS[signs[0]], self._word("a version"))

    def _word(self, what: str) -> str:
        """Up to a space, a comma or a parenthesis that was not opened in it: `perl(DBI)` is a word."""
        begun, opened = self._at, 0
        while self._at < len(self._text):
            sign = self._text[self._at]
            opened += (sign == "(") - (sign == ")")
            if sign.isspace() or sign == "," or opened < 0:
                break
            self._at += 1
        if begun == self._at:
            raise self.fail(f"{what} is missing")
        word = self._text[begun : self._at]
        self._space()
        return word

    def _space(self) -> None:
        self._at = _SPACE.match(self._text, self._at).end()  # type: ignore[union-attr]


# ---------------------------------------------------------------------- as clauses

Providers = Callable[[Dependency], Iterable[int]]
"""The variables of the packages that are what a capability, or a `with` or `without`, asks for."""

_Clauses = list[tuple[int, ...]]
_TRUE: _Clauses = []
_FALSE: _Clauses = [()]


def cnf(dependency: Dependency, providers: Providers, holds: bool = True) -> _Clauses:
    """Clauses that are satisfied together just where the dependency is met or, unless it `holds`, is not met."""
    if isinstance(dependency, Capability) or dependency.op in ("with", "without"):
        variables = sorted(providers(dependency))
        return [tuple(variables)] if holds else [(-variable,) for variable in variables]
    if dependency.op in ("and", "or"):
        each = [cnf(term, providers, holds) for term in dependency.terms]
        return list(chain(*each)) if (dependency.op == "and") == holds else _any(*each)
    first, condition, *rest = dependency.terms
    main = cnf(first, providers, holds)
    absent = _TRUE if (dependency.op == "if") == holds else _FALSE
    other = cnf(rest[0], providers, holds) if rest else absent
    then, otherwise = (main, other) if dependency.op == "if" else (other, main)
    return _any(cnf(condition, providers, False), then) + _any(cnf(condition, providers, True), otherwise)


def _any(*alternatives: _Clauses) -> _Clauses:
    """Clauses that hold where those of one of the alternatives do. What always holds is left out."""
    joined = (tuple(dict.fromkeys(chain(*each))) for each in product(*alternatives))
    return [clause for clause in dict.fromkeys(joined) if not any(-literal in clause for literal in clause)]
