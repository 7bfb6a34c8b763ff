"""Text and documents of whole disks: their differences, as people and programs read them."""

from collections.abc import Iterable, Sequence
from typing import Any

from nornir_upgrade.console.table import columns
from nornir_upgrade.console.text import one_line
from nornir_upgrade.core.filesystem.picture import KINDS, Aspect, PathChange, PathState

from .pictures import PictureComparison
from .rules import PictureRule

_WIDTH = 40
_MOST = 200  # lines of one host; a document has them all


def in_text(verdicts: Sequence[PictureComparison]) -> str:
    """The counts of each host, the differences without a rule, the rules that explain the others, and what was not compared."""
    parts = [_counts(verdicts), _unexplained(verdicts), _rules(verdicts), "\n".join(_not_compared(verdicts))]
    return "\n\n".join(part for part in parts if part)


def document(verdicts: Iterable[PictureComparison]) -> dict[str, Any]:
    """The same as `in_text`, by host, for JSON. Bytes of names that are no UTF-8 are escaped."""
    return {
        verdict.host: {
            "paths": verdict.comparison.paths,
            "unexplained": [_as_data(change) for change in verdict.judgement.unexplained],
            "explained": [
                {"rule": rule.name, "reason": rule.reason, "count": count}
                for rule, count in verdict.judgement.explained
            ],
            "unread": [_shown(path) for path in verdict.comparison.unread],
            "not_compared": list(_left_out(verdict)),
        }
        for verdict in verdicts
    }


def _counts(verdicts: Iterable[PictureComparison]) -> str:
    rows = [
        (
            verdict.host,
            verdict.comparison.paths,
            sum(count for _, count in verdict.judgement.explained),
            len(verdict.judgement.unexplained),
        )
        for verdict in verdicts
    ]
    return columns(("whole disk", "paths", "explained", "unexplained"), rows)


def _unexplained(verdicts: Iterable[PictureComparison]) -> str:
    rows: list[tuple[str, str, str]] = []
    for verdict in verdicts:
        changes = verdict.judgement.unexplained
        rows += [(verdict.host, _shown(change.path), "; ".join(_words(change))) for change in changes[:_MOST]]
        if len(changes) > _MOST:
            rows.append((verdict.host, f"... and {len(changes) - _MOST} more", "-o json has them all"))
    return columns(("host", "path", "differs"), rows) if rows else ""


def _rules(verdicts: Iterable[PictureComparison]) -> str:
    counts: dict[PictureRule, int] = {}
    for verdict in verdicts:
        for rule, count in verdict.judgement.explained:
            counts[rule] = counts.get(rule, 0) + count
    rows = [
        (rule.name, count, rule.reason)
        for rule, count in sorted(counts.items(), key=lambda item: (-item[1], item[0].name))
    ]
    return columns(("rule", "count", "reason"), rows) if rows else ""


def _not_compared(verdicts: Iterable[PictureComparison]) -> list[str]:
    """A line for each thing that was not compared, with its hosts."""
    hosts: dict[str, list[str]] = {}
    for verdict in verdicts:
        for line in _left_out(verdict):
            hosts.setdefault(line, []).append(verdict.host)
    return [f"Not compared on {', '.join(names)}: {line}" for line, names in hosts.items()]


def _left_out(verdict: PictureComparison) -> Iterable[str]:
    points: dict[str, set[str]] = {}
    for out in (out for head in verdict.heads for out in head.left_out):
        points.setdefault(out.why, set()).add(_shown(out.point))
    if points:
        yield "; ".join(f"{', '.join(sorted(points[why]))} ({why})" for why in sorted(points))
    if not all(head.xattrs for head in verdict.heads):
        yield "extended attributes, capabilities and ACLs: the host has neither getfattr nor Python"
    if verdict.comparison.unread:
        count = len(verdict.comparison.unread)
        yield f"the contents of {count} files that could not be read: {_shown(verdict.comparison.unread[0])}, ..."
    if any(head.vanished for head in verdict.heads):
        yield f"{sum(head.vanished for head in verdict.heads)} files that vanished while they were read"


def _as_data(change: PathChange) -> dict[str, Any]:
    before, after = (
        {aspect: _value(entry, aspect) for aspect in change.aspects} for entry in (change.before, change.after)
    )
    return {"path": _shown(change.path), "aspects": list(change.aspects), "before": before, "after": after}


def _words(change: PathChange) -> Iterable[str]:
    late = any(entry.late for entry in (change.before, change.after) if entry)
    for aspect in change.aspects:
        before, after = _value(change.before, aspect), _value(change.after, aspect)
        if aspect == "presence":
            yield f"{after} comes" if change.before is None else f"{before} goes"
        elif aspect == "content":
            yield "content" + (", which changed while it was read" if late else "")
        else:
            yield f"{aspect} {one_line(before or 'none', _WIDTH)} -> {one_line(after or 'none', _WIDTH)}"


def _value(entry: PathState | None, aspect: Aspect) -> str:
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
    """A name as text on one line: bytes that are no UTF-8, and unprintable characters, are escaped."""
    text = name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in text)
