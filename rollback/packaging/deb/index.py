"""A repository's `Packages`, as a host has it: the packages of certain names that it offers. Pure."""

from collections.abc import Collection, Iterator

from nornir_upgrade.core.errors import InvalidInput
from nornir_upgrade.core.packaging.deb.dependencies import fields_of
from nornir_upgrade.core.version.evr import check_arch, check_name, check_version
from rollback.packaging.candidate import Candidate, control_of


def candidates(data: bytes, source: str, names: Collection[str]) -> Iterator[Candidate]:
    """The packages `names`, in the order of the index. An archive has some 60,000, a host has one in forty.

    Raises `InvalidInput` where the index is cut off, or a package is none.
    """
    text = data.decode("utf-8", "surrogateescape")
    if text and not text.endswith("\n"):
        raise InvalidInput(f"{source}: cut off")
    for stanza in text.split("\n\n"):
        head = stanza if stanza.startswith("Package: ") else stanza[stanza.find("\nPackage: ") + 1 :]
        if head.partition("\n")[0].removeprefix("Package: ").strip() in names:
            yield _candidate(stanza, source)


def _candidate(stanza: str, source: str) -> Candidate:
    fields = dict(fields_of(stanza))
    try:
        name, arch, version = (fields[key] for key in ("Package", "Architecture", "Version"))
        check_name(name, qualified=True), check_arch(arch), check_version(version)
        size = int(fields.get("Size") or "0")
    except (KeyError, ValueError) as error:
        raise InvalidInput(f"{source}: {fields.get('Package', '')}: no {error} that can be understood") from None
    except InvalidInput as refusal:
        raise InvalidInput(f"{source}: {refusal.message}") from None
    return Candidate(name, arch, version, source, fields.get("SHA256", ""), size, control_of(fields))
