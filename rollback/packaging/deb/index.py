"""`Packages`, the index of a repository, as a host has it: its packages of certain names. Pure."""

from collections.abc import Collection, Iterator

from nornir_upgrade.core.errors import InvalidInput
from nornir_upgrade.core.packaging.deb.dependencies import Malformed, fields_of, stanzas, strict_fields
from nornir_upgrade.core.version.evr import check_arch, check_name, check_version
from rollback.packaging.candidate import Candidate, Offer
from rollback.packaging.text import Text

from .status import control_of

_WANTED = ("Package", "Version", "Architecture")


def candidates(data: bytes, source: str, names: Collection[str]) -> Iterator[Candidate]:
    """The packages `names`, in the order of the index. An archive has some 60,000, a host has one in forty.

    Raises `InvalidInput` if the index is cut off, or a stanza is not a package.
    """
    text = data.decode("utf-8", "surrogateescape")
    if text and not text.endswith("\n"):
        raise InvalidInput(f"{source}: cut off")
    for _, stanza in stanzas(text):
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


def packages(text: Text, labels: tuple[str, ...]) -> Iterator[Offer]:
    """The offers of a `Packages` file (deb822(5)). Refuses dpkg's status file and `Sources`, which offer no packages."""
    if not text.content.endswith("\n"):
        raise text.fail(text.content.count("\n") + 1, "the index is cut off", "fetch it again")
    trimmed = "\n".join(line for _, line in text.lines())
    for before, stanza in stanzas(trimmed):
        try:
            fields = strict_fields(stanza)
        except Malformed as refusal:
            raise text.fail(before + refusal.offset + 1, refusal.reason) from None
        yield _offer(text, before + 1, fields, labels)


def _offer(text: Text, line: int, stanza: dict[str, str], labels: tuple[str, ...]) -> Offer:
    if "Status" in stanza or "Directory" in stanza:
        raise text.fail(line, "dpkg's status file, or an index of source packages: it offers nothing to install")
    missing = [name for name in _WANTED if not stanza.get(name)]
    if missing:
        raise text.fail(line, f"the package has no {' and no '.join(missing)}")
    name, version, arch = (stanza[field] for field in _WANTED)
    try:
        check_name(name, qualified=True), check_arch(arch), check_version(version)
    except InvalidInput as refusal:
        raise text.fail(line, refusal.message) from None
    return Offer(name, arch, version, text.source, labels, control_of(stanza))
