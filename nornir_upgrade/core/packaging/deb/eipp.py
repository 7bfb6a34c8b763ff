"""apt's planner protocol, EIPP 0.1: the transaction that apt hands to whoever puts its actions in order, and the answer.

apt writes a request (what is installed, removed, installed again), then a stanza for each version that has a part in it, with
`Status` where it is there now. An external planner (apt.conf(5), `APT::Planner`, `Dir::Bin::Planners`) answers with one stanza an
action. apt logs the same question by itself (`Dir::Log::Planner`), also while it only simulates: so it is had without a planner.
"""

from collections.abc import Iterable, Mapping

from nornir_upgrade.core.errors import InvalidInput
from nornir_upgrade.core.packaging.model import PackageName

from .dependencies import DebPackage, deb, fields_of, stanzas
from .transition import Action, Slot, Transition, slot_of

_REQUEST = "EIPP 0.1"
_GONE = ("", "not-installed", "config-files")
_READY = ("installed", "triggers-awaited", "triggers-pending")

# Run by apt with the question on standard input; `$1` of awk is the file that `answer` made. Ids are apt's own of this one call.
PLANNER = r"""#!/bin/sh
# nornir-upgrade: the actions of a transaction in the order that was proven
exec awk -v order="${0%/*}/order" '
BEGIN { RS = ""; FS = "\n" }
{
  name = arch = version = id = ""
  for (at = 1; at <= NF; at++) {
    if ($at ~ /^Package: /) name = substr($at, 10)
    else if ($at ~ /^Architecture: /) arch = substr($at, 15)
    else if ($at ~ /^Version: /) version = substr($at, 10)
    else if ($at ~ /^APT-ID: /) id = substr($at, 9)
  }
  if (id != "") ids[name " " arch " " version] = id
}
END {
  RS = "\n"
  while ((getline line < order) > 0) {
    count = split(line, word, " ")
    id = ids[word[2] " " word[3] " " word[4]]
    if (count != 4 || id == "") { text = "Error: order\nMessage: apt knows no " line "\n"; break }
    text = text word[1] ": " id "\n\n"
  }
  if (text == "") text = "Error: order\nMessage: there is no order\n"
  printf "%s\n", text
}'
"""


def parse(text: str) -> Transition:
    """The transaction that apt's question is about. Raises `InvalidInput` where it is none that this protocol has."""
    request, *packages = (dict(fields_of(stanza)) for _, stanza in stanzas(text) if stanza.strip())
    if request.get("Request") != _REQUEST or not request.get("Architecture"):
        raise InvalidInput(f"apt asks its planner in no way that is known: {text[:60]!r}")
    native = request["Architecture"]
    debs = [(_deb(fields), fields.get("Status", "")) for fields in packages]
    before = {slot_of(deb, native): deb for deb, status in debs if status not in _GONE}
    going = _slots(request.get("Remove", ""))
    after = {slot: deb for slot, deb in before.items() if slot not in going}
    after |= {slot_of(deb, native): deb for deb, status in debs if status in _GONE}
    ready = frozenset(slot_of(deb, native) for deb, status in debs if status in _READY)
    return Transition(native, before, after, ready, _slots(request.get("ReInstall", "")))


def answer(actions: Iterable[Action]) -> str:
    """The lines that `PLANNER` reads: act, name, architecture and version."""
    return "".join(f"{action.act} {action.deb.name} {action.deb.arch} {action.deb.version}\n" for action in actions)


def _deb(fields: Mapping[str, str]) -> DebPackage:
    try:
        return deb(fields["Package"], fields["Architecture"], fields["Version"], tuple(fields.items()))
    except KeyError as missing:
        raise InvalidInput(f"apt asks its planner about a package without {missing}") from None


def _slots(words: str) -> frozenset[Slot]:
    return frozenset(PackageName(name, arch) for name, _, arch in (word.partition(":") for word in words.split()))
