"""How apt is asked for the way back before the way forward is gone: a fixed script, and what it says.

apt works out a transaction against whatever status file it is given (apt.conf(5), `Dir::State::status`). Ours is a copy of dpkg's own
in which the changes of the plan are made, with the stanzas that the indexes have of the new versions. An old version that no index has
any longer is told of by the stanza that dpkg has of it now (apt-get(8), `--with-source`), as if its file were there. Run for real with
apt 2.6.2.
"""

from collections.abc import Mapping, Sequence

from nornir_upgrade.core.errors import UnsafeOrder
from nornir_upgrade.core.packaging.arrangement import Simulation
from nornir_upgrade.core.packaging.model import Package
from nornir_upgrade.core.transport.host import Result
from nornir_upgrade.core.transport.sections import Section

from . import apt, preview
from .arrangement import arrange

FORMAT = apt.FORMAT
UPDATE = preview.UPDATE
file_name = preview.file_name

# awk(1) with RS="" reads stanzas. What is given stands before them, a line each: kind, name, architecture, version, selection.
_READ = r"""
function stanza(  lines, count, at) {
  name = arch = version = ""
  count = split($0, lines, "\n")
  for (at = 1; at <= count; at++) {
    if (lines[at] ~ /^Package: /) name = substr(lines[at], 10)
    else if (lines[at] ~ /^Architecture: /) arch = substr(lines[at], 15)
    else if (lines[at] ~ /^Version: /) version = substr(lines[at], 10)
  }
  key = name ":" arch "=" version
}
function without(fields,  lines, count, at, skip, text) {
  count = split($0, lines, "\n")
  for (at = 1; at <= count; at++) {
    if (lines[at] ~ /^[^ \t]/) skip = lines[at] ~ fields
    if (!skip) text = text lines[at] "\n"
  }
  return text
}
FNR == NR { split($0, given, "\t"); kinds[given[1] " " given[2] ":" given[3] "=" given[4]] = 1
  selections[given[2] ":" given[3] "=" given[4]] = given[5]; next }
"""
# dpkg's status with what goes taken out, and its stanzas of old versions, without dpkg's own fields, as an index has them.
_TAKEN_OUT = rf"""{_READ}
{{ stanza() }}
("back " key) in kinds {{
  print without("^(Status|Conffiles|Config-Version|Triggers-[A-Z][a-z]*):") "Filename: ./kept.deb\nSize: 1\n" > kept
}}
("away " key) in kinds {{ next }}
("gone " key) in kinds {{ sub(/\nStatus: [^\n]*/, "\nStatus: deinstall ok config-files") }}
{{ print $0 "\n" }}
"""
# Of what apt-cache(8) shows: the new versions, as installed, once each, without what dpkg takes in no status file, and with the fields
# that it misses otherwise: an index may have a description in other languages alone.
_COME = rf"""{_READ}
function filled(text, field) {{ return ("\n" text) ~ ("\n" field ": ") ? text : text field ": none\n" }}
{{ stanza() }}
("come " key) in kinds && !(key in seen) {{
  seen[key] = 1
  text = without("^(Filename|Size|MD5sum|SHA[0-9]+|Description-[A-Za-z_0-9]+):")
  print filled(filled(text, "Description"), "Maintainer") "Status: " selections[key] " ok installed\n"
}}
"""
# apt-cache(8) shows as well what nobody offers and dpkg alone knows, installed or not: an index says where the file is.
_OFFERED = rf"""{_READ}
{{ stanza() }}
("back " key) in kinds && /\nFilename: / && !(key in seen) {{ seen[key] = 1; print name "\t" arch "\t" version }}
"""
# An old version that is offered needs no other source.
_UNOFFERED = rf"""{_READ}
{{ stanza() }}
!(key in selections) {{ print $0 "\n" }}
"""

SCRIPT = (
    preview.PRIVATE
    + f"""\
if [ $status -ne 0 ]; then mark end 0; exit; fi
cat > "$root/given" || exit
words() {{ awk -F '\\t' -v kind="$1" '$1 == kind {{ print $2 ":" $3 "=" $4 }}' "$root/given"; }}
show() {{ words "$1" | xargs -r apt-cache -c "$root/apt.conf" show -- 2>/dev/null; }}
mkdir "$root/updates" && : > "$root/index" || exit
awk -v kept="$root/index" '{_TAKEN_OUT}' "$root/given" RS= /var/lib/dpkg/status > "$root/status.new" || exit
show come > "$root/new"
awk '{_COME}' "$root/given" RS= "$root/new" >> "$root/status.new" && mv "$root/status.new" "$root/status" || exit
echo "Dir::State::status \\"$root/status\\";" >> "$root/apt.conf" || exit
heard dpkg-query --admindir="$root" --show --showformat "$format"; told packages
show back > "$root/old"
awk '{_OFFERED}' "$root/given" RS= "$root/old" > "$root/offered"; cat "$root/offered"; mark offered $?
awk -F '\\t' '{{ print "offered\\t" $0 "\\t" }}' "$root/offered" > "$root/not"
[ -s "$root/not" ] || echo > "$root/not"
awk '{_UNOFFERED}' "$root/not" RS= "$root/index" > "$root/Packages"
manager=$1; shift
[ ! -s "$root/Packages" ] || set -- --with-source "$root/Packages" "$@"
heard "$manager" -c "$root/apt.conf" -o "Dir::Log::Planner=$root/question" "$@"; told said
[ ! -s "$root/question" ] || cat "$root/question"; mark question 0
mark end 0
"""
)


def present(section: Section) -> tuple[Package, ...]:
    """The packages of the state that was made up."""
    return apt.parse_packages(section.succeeded().text.splitlines())


def unsafe(host: str, sections: Mapping[str, Section]) -> str:
    """Why the way back cannot be carried out in an order that keeps the host usable; '' where it can."""
    section, question = sections["said"], sections.get("question")
    simulation = Simulation(
        Result(section.status, section.text.encode("utf-8", "surrogateescape"), b""), question.text if question else ""
    )
    try:
        arrange(host, simulation, downgrade=True)
    except UnsafeOrder as refusal:
        return refusal.message
    return ""


def given(kind: str, package: Package) -> Sequence[str]:
    """What the script is told of one package."""
    return kind, package.name, package.arch, package.version, "hold" if package.hold else "install"
