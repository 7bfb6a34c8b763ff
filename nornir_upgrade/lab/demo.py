"""The demonstration: the commands that an operator would type, on the lab's fleet, ending with a proof.

`python -m nornir_upgrade.lab.demo [--keep]`: run beside config.yaml, as root. With --keep the lab stays up.
"""

import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from nornir_upgrade.core.transport.host import quote

UPGRADE, ROLLBACK = "nornir-upgrade", "rollback"
FAULT = "/run/lab-fault/kill-openstack-nova-common"
LABEL = "before the demo"


@dataclass(frozen=True, slots=True)
class Act:
    """One command of the demonstration: why it is typed, and the exit status that it must end with."""

    why: str
    argv: tuple[str, ...]
    status: int = 0


ACTS = (
    Act("The fleet: four Debian and three RPM hosts, two clouds of the old release that run", (UPGRADE, "lab", "up")),
    Act("What is true before anything is changed", (ROLLBACK, "snapshot", "--label", LABEL)),
    Act("What would be done", (UPGRADE, "plan", "service-by-service")),
    Act(
        "A fault is planted: on rcmp1 dnf will be killed in the middle of its transaction, as by a power failure",
        (UPGRADE, "lab", "ssh", "rcmp1", "mkdir -p /run/lab-fault && echo icehouse > " + FAULT),
    ),
    Act(
        "Forward: it fails near the end, and all of it is undone (exit 4: failed and unwound)",
        (UPGRADE, "run", "service-by-service", "--yes", "--on-failure", "unwind"),
        status=4,
    ),
    Act("Nothing differs from before", (ROLLBACK, "diff", LABEL, "--detailed-exitcode")),
    Act("The fault is mended", (UPGRADE, "lab", "ssh", "rcmp1", "rm " + FAULT)),
    Act("Forward again, to the end", (UPGRADE, "run", "service-by-service", "--yes")),
    Act("The new release answers: Debian", (UPGRADE, "lab", "ssh", "ctl1", "curl -s http://127.0.0.1:9696/")),
    Act("The new release answers: RPM", (UPGRADE, "lab", "ssh", "rctl1", "curl -s http://127.0.0.1:9696/")),
    Act(
        "And back, databases too; afterwards the facts are gathered again and compared",
        (ROLLBACK, "apply", "--restore-db", "--yes"),
    ),
    Act(
        "The proof once more, on its own: facts now, beside the facts before",
        (ROLLBACK, "diff", LABEL, "--detailed-exitcode"),
    ),
    Act("The old release answers: Debian", (UPGRADE, "lab", "ssh", "ctl1", "curl -s http://127.0.0.1:9696/")),
    Act("The old release answers: RPM", (UPGRADE, "lab", "ssh", "rctl1", "curl -s http://127.0.0.1:9696/")),
    Act("What was done, as one page", (UPGRADE, "report", "last-1", "--out", "demo-report.html")),
)
LEAVE = Act("The lab goes, and leaves nothing behind", (UPGRADE, "lab", "down"))


def main(arguments: list[str]) -> int:
    """Play every act; 1 at the first that does not end as it must."""
    console = Console()
    begin = time.monotonic()
    acts = ACTS if "--keep" in arguments else (*ACTS, LEAVE)
    for number, act in enumerate(acts, 1):
        console.print(f"\n[bold]{number}/{len(acts)}  {act.why}[/]", soft_wrap=True)
        if (status := play(act, console)) != act.status:
            console.print(f"[bold red]ended with {status}, not with {act.status}[/]; the lab was left as it is")
            return 1
    console.print(f"\n[bold]done in {time.monotonic() - begin:.0f} s[/]")
    return 0


def play(act: Act, console: Console) -> int:
    """Type the command, and return its exit status."""
    console.print(f"$ {quote(act.argv)}", style="cyan", highlight=False, markup=False, soft_wrap=True)
    program = Path(sys.executable).with_name(act.argv[0])
    return subprocess.run([str(program), *act.argv[1:]], check=False).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
