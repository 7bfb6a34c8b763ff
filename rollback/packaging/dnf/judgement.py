"""Judgement: dnf 4 as a `ManagerJudgement`. Its format is rpm."""

from nornir_upgrade.core.transport.sections import Section
from rollback.packaging.judgement import ManagerJudgement
from rollback.packaging.protection import DNF, DnfConf

from . import query
from .commands import DnfCommands


def conf(section: Section) -> DnfConf:
    """The configuration of dnf, with the default names of kernels. Raises `InvalidInput` with the line that is not understood."""
    words: dict[str, list[str]] = {"install-only": [], "protected": []}
    for offset, line in section.lines():
        kind, _, word = line.partition("\t")
        if kind not in words or not word:
            raise section.fail(f"not understood: {line[:80]!r}", offset)
        words[kind].append(word)
    return DnfConf(DNF.install_only | frozenset(words["install-only"]), tuple(dict.fromkeys(words["protected"])))


DNF4 = ManagerJudgement(tool="dnf", commands=DnfCommands(), query=query.argv, conf=conf)
