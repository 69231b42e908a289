"""The command line: arguments in, text out."""

import sys


def main() -> None:
    """Run the fashionbench command, and load it only now."""
    try:
        from fashionbench.cli.app import main as run

        run()
    except KeyboardInterrupt:  # while it is loaded; later each command tells what it kept
        sys.stderr.write("fashionbench: interrupted.\n")
        sys.exit(130)
