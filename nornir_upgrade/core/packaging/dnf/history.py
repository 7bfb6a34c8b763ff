"""History of dnf 4: which installed packages are dependencies, and which a transaction left halfway.

rpm's database knows neither. dnf keeps both in an SQLite file (dnf.conf(5), `persistdir`), which is read as libdnf reads it. Asking
dnf itself takes ten times as long (140 ms against 15 ms, measured with dnf 4.14).
"""

import re
from dataclasses import dataclass

from nornir_upgrade.core.errors import InvalidInput
from nornir_upgrade.core.transport.sections import Section
from nornir_upgrade.core.version import nevra

COMMENT = "nornir-upgrade"
"""How the comments of our own transactions begin."""

_PYTHON = (
    "python=/usr/libexec/platform-python; [ -x $python ] || python=python3"  # dnf's own; RHEL 8 need have no other
)
_OPEN = """\
import os, sqlite3
path = '/var/lib/dnf/history.sqlite'
db = sqlite3.connect(f'file:{path}?mode=ro', uri=True) if os.path.exists(path) else None
def ask(query, *values):
    return db.execute(query, values).fetchall() if db else ()
"""

# A reason is that of the newest transaction that ended well and did not only take the package's old version away
# (libdnf, RPMItem::resolveTransactionItemReason; reasons 1 and 4 are dependencies, action 8 is a removal). What came in a transaction
# that never came to its end is halfway: rpm writes a package down before it runs %post. So is what a transaction of ours installed
# whose %post failed; rpm goes on over that, and dnf ends with status 0. And of two versions that one path belonged to, the one that
# went last leaves its file to the other.
_READ = f"""\
newest = '''SELECT ti.action, ti.reason FROM trans_item ti JOIN trans t ON ti.trans_id = t.id JOIN rpm i USING (item_id)
 WHERE t.state = 1 AND ti.action NOT IN (3, 5, 7, 10) AND i.name = ? AND i.arch = ? ORDER BY ti.trans_id DESC LIMIT 1'''
for name, arch in ask('SELECT DISTINCT name, arch FROM rpm'):
    if any(action != 8 and reason in (1, 4) for action, reason in ask(newest, name, arch)):
        print(f'auto {{name}}.{{arch}}')
came = '''SELECT i.name, i.epoch, i.version, i.release, i.arch, t.id, t.state, ti.state, t.comment, max(ti.id)
 FROM trans_item ti JOIN trans t ON ti.trans_id = t.id JOIN rpm i USING (item_id) WHERE ti.action NOT IN (10, 11) GROUP BY item_id
 HAVING ti.action IN (1, 2, 6, 9)'''
for name, epoch, version, release, arch, number, state, done, comment, _ in ask(came):
    full = f'{{version}}-{{release}}.{{arch}}'
    said = ask('SELECT line FROM console_output WHERE trans_id = ?', number) if comment.startswith('{COMMENT}') else ()
    failed = any('failed' in line and f'({{name}}-{{full}})' in line for line, in said)
    if failed or (state != 1 and done != 1):
        print(f'halfway {{name}}-{{epoch}}:{{full}}')
last = '''SELECT i.name, i.arch, ti.action, max(ti.id) FROM trans_item ti JOIN trans t ON ti.trans_id = t.id JOIN rpm i USING (item_id)
 WHERE t.state = 1 AND ti.action <> 11 GROUP BY i.name, i.arch HAVING ti.action = 8'''
for name, arch, _, _ in ask(last):
    print(f'torn {{name}}.{{arch}}')
"""

SCRIPT = f"""\
{_PYTHON}
$python -I -S - <<'END'
{_OPEN}{_READ}END
"""
"""Prints `auto NAME.ARCH`, `halfway NEVRA` and `torn NAME.ARCH` lines."""

# Tells by which numbers dnf knows the transactions of the job that asks.
_NUMBERS = f"""\
numbers = ask('SELECT id FROM trans WHERE comment = ?', '{COMMENT} ' + os.environ.get('NORNIR_UPGRADE_JOB', ''))
print('{COMMENT}: dnf transaction', ', '.join(str(number) for number, in numbers))
"""
NUMBERS = ("sh", "-c", f"{_PYTHON}\n$python -I -S - <<'END'\n{_OPEN}{_NUMBERS}END\n")
_TOLD = re.compile(rf"^{COMMENT}: (?P<what>dnf transaction [0-9, ]+)$", re.M)


@dataclass(frozen=True, slots=True)
class History:
    """`auto`: names and architectures of what came as a dependency. `halfway`: name, architecture and version of what is unfinished.
    `torn`: names and architectures of which a version went last, and none came since.
    """

    auto: frozenset[tuple[str, str]]
    halfway: frozenset[tuple[str, str, str]]
    torn: frozenset[tuple[str, str]]


def parse(section: Section) -> History:
    """Raises `InvalidInput` with line and reason for what the script does not print."""
    auto, halfway, torn = set(), set(), set()
    for offset, line in section.succeeded().lines():
        word, _, rest = line.partition(" ")
        try:
            if word == "auto":
                auto.add(_name(rest))
            elif word == "halfway":
                halfway.add(_full(rest))
            elif word == "torn":
                torn.add(_name(rest))
            else:
                raise InvalidInput(f"not understood: {line!r}")
        except InvalidInput as refusal:
            raise section.fail(refusal.message, offset) from None
    return History(frozenset(auto), frozenset(halfway), frozenset(torn))


def numbers(text: str) -> str:
    """What `NUMBERS` printed somewhere in `text`, in words; '' where it did not."""
    match = _TOLD.search(text)
    return match["what"] if match else ""


def _name(text: str) -> tuple[str, str]:
    name, _, arch = text.rpartition(".")
    return nevra.check_name(name), nevra.check_arch(arch)


def _full(text: str) -> tuple[str, str, str]:
    row = nevra.parse(text)
    return row.name, row.arch, row.evr
