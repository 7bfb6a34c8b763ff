"""What differs on whole disks, as people and programs read it."""

from collections.abc import Iterable, Sequence
from typing import Any

from nornir_upgrade.console.output import columns
from nornir_upgrade.console.text import one_line
from nornir_upgrade.core.filesystem.picture import KINDS, Aspect, Change, Entry

from .pictures import Verdict
from .rules import Rule

_WIDTH = 40
_MOST = 200  # lines of one host; a document has them all


def in_text(verdicts: Sequence[Verdict]) -> str:
    """The counts of each host, the differences without a rule, the rules that explain the others, and what was not compared."""
    parts = [_counts(verdicts), _unexplained(verdicts), _rules(verdicts), "\n".join(_not_compared(verdicts))]
    return "\n\n".join(part for part in parts if part)


def document(verdicts: Iterable[Verdict]) -> dict[str, Any]:
    """As `in_text`, by host. Names that are no UTF-8 have their odd bytes written out."""
    return {
        one.host: {
            "paths": one.comparison.paths,
            "unexplained": [_as_data(change) for change in one.judgement.unexplained],
            "explained": [
                {"rule": rule.name, "reason": rule.reason, "count": count} for rule, count in one.judgement.explained
            ],
            "unread": [_shown(path) for path in one.comparison.unread],
            "not_compared": list(_left_out(one)),
        }
        for one in verdicts
    }


def _counts(verdicts: Iterable[Verdict]) -> str:
    rows = [
        (
            one.host,
            one.comparison.paths,
            sum(count for _, count in one.judgement.explained),
            len(one.judgement.unexplained),
        )
        for one in verdicts
    ]
    return columns(("whole disk", "paths", "explained", "unexplained"), rows)


def _unexplained(verdicts: Iterable[Verdict]) -> str:
    rows: list[tuple[str, str, str]] = []
    for one in verdicts:
        changes = one.judgement.unexplained
        rows += [(one.host, _shown(change.path), "; ".join(_told(change))) for change in changes[:_MOST]]
        if len(changes) > _MOST:
            rows.append((one.host, f"... and {len(changes) - _MOST} more", "-o json has them all"))
    return columns(("host", "path", "differs"), rows) if rows else ""


def _rules(verdicts: Iterable[Verdict]) -> str:
    counts: dict[Rule, int] = {}
    for one in verdicts:
        for rule, count in one.judgement.explained:
            counts[rule] = counts.get(rule, 0) + count
    rows = [
        (rule.name, count, rule.reason)
        for rule, count in sorted(counts.items(), key=lambda item: (-item[1], item[0].name))
    ]
    return columns(("rule", "count", "reason"), rows) if rows else ""


def _not_compared(verdicts: Iterable[Verdict]) -> list[str]:
    """A line for each thing that was left out, with the hosts on which it was."""
    hosts: dict[str, list[str]] = {}
    for one in verdicts:
        for line in _left_out(one):
            hosts.setdefault(line, []).append(one.host)
    return [f"Not compared on {', '.join(names)}: {line}" for line, names in hosts.items()]


def _left_out(one: Verdict) -> Iterable[str]:
    points: dict[str, set[str]] = {}
    for out in (out for head in one.heads for out in head.left_out):
        points.setdefault(out.why, set()).add(_shown(out.point))
    if points:
        yield "; ".join(f"{', '.join(sorted(points[why]))} ({why})" for why in sorted(points))
    if not all(head.xattrs for head in one.heads):
        yield "extended attributes, capabilities and ACLs: the host has neither getfattr nor Python"
    if one.comparison.unread:
        count = len(one.comparison.unread)
        yield f"the contents of {count} files that could not be read: {_shown(one.comparison.unread[0])}, ..."
    if any(head.vanished for head in one.heads):
        yield f"{sum(head.vanished for head in one.heads)} files that vanished while they were read"


def _as_data(change: Change) -> dict[str, Any]:
    before, after = (
        {aspect: _value(entry, aspect) for aspect in change.aspects} for entry in (change.before, change.after)
    )
    return {"path": _shown(change.path), "aspects": list(change.aspects), "before": before, "after": after}


def _told(change: Change) -> Iterable[str]:
    late = any(entry.late for entry in (change.before, change.after) if entry)
    for aspect in change.aspects:
        before, after = _value(change.before, aspect), _value(change.after, aspect)
        if aspect == "presence":
            yield f"{after} comes" if change.before is None else f"{before} goes"
        elif aspect == "content":
            yield "content" + (", which changed while it was read" if late else "")
        else:
            yield f"{aspect} {one_line(before or 'none', _WIDTH)} -> {one_line(after or 'none', _WIDTH)}"


def _value(entry: Entry | None, aspect: Aspect) -> str:
    if entry is None:
        return ""
    values: dict[Aspect, str] = {
        "presence": KINDS[entry.kind],
        "kind": KINDS[entry.kind],
        "content": entry.digest,
        "target": _shown(entry.target),
        "mode": entry.mode,
        "owner": entry.owner,
        "xattrs": entry.xattrs,
        "device": entry.device,
    }
    return values[aspect]


def _shown(name: str) -> str:
    """A name as text on one line: bytes that are no UTF-8, and characters that cannot be seen, are written out."""
    text = name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in text)
