"""Step: one thing that should be true on one host, and the code that makes it true.

The one idea of this project: *undoing a step is wanting what was*. Before a step acts, it observes the host and returns
another step: the one that restores the present state. The journal needs nothing else for the way back.
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

    Laws, tested for every kind: applying the step that `observe` returned restores the observed state; applying twice equals
    applying once; `observe` changes nothing on the host.
    """

    KIND: ClassVar[str] = ""

    def __init_subclass__(cls, kind: str = "") -> None:
        # `@dataclass(slots=True)` makes each class a second time: the later class, with slots, replaces the first.
        if kind := kind or cls.KIND:
            cls.KIND = kind
            REGISTRY[kind] = cls

    @abstractmethod
    def observe(self, host: Host, store: Store) -> "Step | None":
        """Returns the step that restores what is true now, or `None` if this step changes nothing that could be undone. Only reads.

        A capture step does all its work here: it copies bytes into `store`, and returns the step that restores them.
        """

    @abstractmethod
    def apply(self, host: Host, store: Store) -> str | None:
        """Afterwards, what this step wants is true. Idempotent; may be run again after an interruption at any point.

        Returns a note for the journal, such as the number of a dnf transaction, or `None`.
        """

    @abstractmethod
    def describe(self) -> str:
        """One line of text: what will be true."""

    @property
    def capture(self) -> str:
        """The name of the capture that this step makes; '' if it makes none. Other steps name it in `covered_by`."""
        return ""

    @property
    def covered_by(self) -> str:
        """The name of the capture whose restore undoes this step; '' if there is none. A step from `observe` follows the restore."""
        return ""

    @property
    def ahead(self) -> "Step":
        """The part of a restore that precedes undoing the steps it covers. By default all of it."""
        return self

    def knowing(self, captures: Mapping[str, "Step"]) -> "Step":
        """This step, completed with what it needs from earlier captures of its run. `captures`: name -> the step that restores it."""
        return self

    @property
    def point_of_no_return(self) -> str:
        """The reason why there is no way back past this step; '' if there is one."""
        return ""


def absolute(path: str) -> bool:
    """Whether `path` is absolute and without `..`, as every path in a step must be."""
    pure = PurePosixPath(path)
    return pure.is_absolute() and ".." not in pure.parts and "\0" not in path
