"""The command line: arguments in, text out."""


def main() -> None:
    """Run the fashionbench command, and load it only now."""
    from fashionbench.cli.app import main as run

    run()
