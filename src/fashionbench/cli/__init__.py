"""The command line: arguments in, text out."""


def main() -> None:
    """Run the fashionbench command, and load it only now."""
    import os
    import sys

    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:  # closed by whoever started it, as some services do
            setattr(sys, name, os.fdopen(os.open(os.devnull, os.O_WRONLY), "w"))
    try:
        from fashionbench.cli.app import main as run

        run()
    except KeyboardInterrupt:  # while it is loaded; later each command tells what it kept
        sys.stderr.write("fashionbench: interrupted.\n")
        sys.exit(130)
