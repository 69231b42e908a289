"""The command line: arguments in, text out."""

import os
import sys
from pathlib import Path


def main() -> None:
    """Run the fashionbench command, and load it only now."""
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:  # closed by whoever started it, as some services do
            setattr(sys, name, Path(os.devnull).open("w"))  # noqa: SIM115 - until the end
    try:
        from fashionbench.cli.app import main as run

        run()
    except KeyboardInterrupt:  # while it is loaded; later each command tells what it kept
        sys.stderr.write("fashionbench: interrupted.\n")
        sys.exit(130)
