"""Summary text: a recap in the form for people. Pure."""

from nornir_upgrade.console.table import columns
from nornir_upgrade.console.text import cause, printable

from .summary import FailureRecap, Recap, origin_in_words

_GATE = "gate-failed: "
_STATUS = {
    "open": "is open",
    "succeeded": "succeeded",
    "differs": "ended, and not everything is as it should be",
    "undone": "was undone",
    "untouched": "ended before it touched anything",
}


def recap_in_text(recap: Recap) -> str:
    """The table of hosts, the failures, the hosts that were not reached, and the status of the run."""
    head = ("host", "ok", "changed", "failed", "unreachable", "skipped", "undone")
    rows = [
        (one.host, one.ok, one.changed, one.failed, one.unreachable, one.skipped, one.undone) for one in recap.hosts
    ]
    parts = [f"Steps and gates, by how they ended:\n{columns(head, rows)}"] if rows else []
    if recap.failures:
        parts.append("Failed:\n" + "\n".join(_failure(failure) for failure in recap.failures))
    if recap.not_reached and recap.status != "undone":
        parts.append(f"Not reached: {', '.join(recap.not_reached)}")
    if recap.verdict:
        parts.append(verdict_in_text(recap))
    return "\n\n".join([*parts, headline(recap)])


def verdict_in_text(recap: Recap) -> str:
    """The verdict at the end of a way back, and the remedy."""
    return "\n  ".join(filter(None, (f"Verdict: {recap.verdict}", recap.remedy)))


def headline(recap: Recap) -> str:
    """The status of the run, in a line."""
    by = f" by run {recap.undone_by}" if recap.undone_by else ""
    after = f" ({recap.ending})" if recap.status == "open" and recap.ending else ""
    return (
        f"Run {recap.run} ({recap.direction} {printable(origin_in_words(recap))}) {_STATUS[recap.status]}{by}{after}."
    )


def commands_in_text(recap: Recap) -> str:
    """The exact commands that continue and undo the run, or the controller that executes it; '' for a run that is not open."""
    if recap.at_work:
        return f"Run {recap.run} is at work: {recap.at_work}.\n  wait for it to end, or interrupt it there with Ctrl-C"
    if not (recap.ways.go_on or recap.ways.go_back):
        return ""
    lines = [f"Run {recap.run} is open."]
    if recap.ways.go_on:
        lines.append(f"  go on with:   {recap.ways.go_on}")
    elif recap.drifted:
        hosts = ", ".join(recap.drifted)
        lines.append(f"  no resume: {hosts} changed since the plan was made; go back, and plan again")
    if recap.ways.go_back:
        lines.append(f"  go back with: {recap.ways.go_back}")
    return "\n".join(lines)


def waves_in_text(recap: Recap) -> str:
    """The table of waves."""
    rows = [(number, wave.name, wave.state, f"{wave.done}/{wave.steps}") for number, wave in enumerate(recap.waves, 1)]
    return columns(("wave", "name", "state", "steps done"), rows)


def _failure(failure: FailureRecap) -> str:
    if failure.error.startswith(_GATE):  # the error names the gate
        return "\n    ".join(f"  {failure.host}: gate: {cause(failure.error, failure.host)}".splitlines())
    step = f"{printable(failure.step)}: " if failure.step else ""
    return "\n    ".join(f"  {failure.host}: {step}{failure.error}".splitlines())
