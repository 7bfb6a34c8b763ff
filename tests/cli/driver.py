"""`nornir-upgrade` over fake hosts, as a program: `python -m tests.cli.driver VERB …`."""

import signal

import tests.core.toys  # noqa: F401  (its kinds of steps)
from nornir_upgrade.cli.main import main
from tests.cli.site import stand_in

signal.signal(signal.SIGHUP, signal.SIG_DFL)  # under nohup(1) all that the tests start would ignore it
stand_in()
main()
