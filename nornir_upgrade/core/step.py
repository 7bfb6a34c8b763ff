"""A step: one thing that should be true on one host, and how to make it so.

The one idea of this project: *undoing a step is wanting what was*. So what a step observes before it acts is itself
a step, the one that wants the present state, and the journal needs no other vocabulary for the way back.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import ClassVar

from nornir_upgrade.core.transport.host import Host

from .store import Store

REGISTRY: dict[str, type["Step"]] = {}


class Step(ABC):
    """Base of every step. A concrete step is a frozen dataclass with a field `kind: Literal["…"]`, which is its name in JSON.

    Laws, tested for every kind: applying what `observe` returned brings back what it saw; applying twice is applying
    once; `observe` changes nothing on the host.
    """

    KIND: ClassVar[str] = ""

    def __init_subclass__(cls, kind: str = "") -> None:
        # `@dataclass(slots=True)` makes each class a second time: the later one, with slots, is the one that counts.
        if kind := kind or cls.KIND:
            cls.KIND = kind
            REGISTRY[kind] = cls

    @abstractmethod
    def observe(self, host: Host, store: Store) -> "Step | None":
        """The step that wants what is true now. Reads only. `None` where this step changes nothing that could be undone.

        A capture step does all its work here: it copies bytes into `store`, and the step returned restores them.
        """

    @abstractmethod
    def apply(self, host: Host, store: Store) -> str | None:
        """Afterwards, what this step wants is true. Idempotent; may be run again after it was cut off anywhere.

        Returns what the journal should tell of how it was done, such as the host's own number of it, if anything.
        """

    @abstractmethod
    def describe(self) -> str:
        """One line for people: what will be true."""

    @property
    def capture(self) -> str:
        """The name under which other steps may say that this step's restore undoes them as well; empty for most."""
        return ""

    @property
    def covered_by(self) -> str:
        """The name of the capture whose restore is this step's way back, or its beginning where `observe` saw something too;
        empty where the step is its own."""
        return ""

    @property
    def ahead(self) -> "Step":
        """Of a restore, what is done before the steps that it covers are undone: by default all of it."""
        return self

    def knowing(self, captures: Mapping[str, "Step"]) -> "Step":
        """The step, with what it must know of the captures that its run made before: by name, what each would restore."""
        return self

    @property
    def point_of_no_return(self) -> str:
        """Why there is no way back past this step; empty where there is one."""
        return ""


def absolute(path: str) -> bool:
    """Whether `path` is absolute and says where it leads without `..`: what any path in a step must be."""
    pure = PurePosixPath(path)
    return pure.is_absolute() and ".." not in pure.parts and "\0" not in path
