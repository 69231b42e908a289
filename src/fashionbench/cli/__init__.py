"""The command line: arguments in, text out."""


def main() -> None:
    """Run the fashionbench command, which is loaded now."""
    from fashionbench.cli.app import main as run

    run()
