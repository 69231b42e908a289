"""The command line: its commands, and errors turned into one sentence and an exit code.

Everything heavy is imported inside the command that needs it, so that help is quick.
"""

import os
import sys
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from fashionbench.cli import audit, catalogue, compare, deploy, gauge, predict, train, workers
from fashionbench.cli.options import format_examples, without_types
from fashionbench.core.names import printable
from fashionbench.core.progress import show_messages
from fashionbench.errors import FashionbenchError

__all__ = ["app", "main"]


_UsageError: Any = typer.BadParameter.__base__
"""What typer raises for arguments that no command takes; it has no public name there."""


def _tell(error: Any, command: str | None = None) -> Exception:
    """Print what typer refuses in a sentence, like all other errors, without its usage and box.

    `command` was asked for, where the error itself does not say so.
    """
    if error.__class__.__name__ == "NoArgsIsHelpError":  # which is the help
        return error  # type: ignore[no-any-return]
    names, context = list[str](), error.ctx
    while context is not None and context.parent is not None:
        names, context = [context.info_name, *names], context.parent
    asked = " ".join(["fashionbench", *(names or filter(None, [command]))])
    sentence = printable(error.format_message()).rstrip(".")
    typer.echo(f"fashionbench: {sentence}; see {asked} --help.", err=True)
    return typer.Exit(2)


def _tell_of_system(error: OSError) -> None:
    """Print what the system refuses: a path that nobody has checked before, or the output."""
    if error.filename:
        path = printable(error.filename)
        sentence = f"{path} cannot be used ({error.strerror}); name another, or make it accessible."
    else:
        # Python would try to write what is left once more at its very end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sentence = f"the output cannot be written ({error.strerror})."
    typer.echo(f"fashionbench: {sentence}", err=True)


class CommandGroup(TyperGroup):
    """The commands; an error of the package becomes one sentence on standard error."""

    def get_params(self, ctx: Any) -> list[Any]:
        """Return the parameters, without the types that Python has for them."""
        return without_types(super().get_params(ctx))

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Refuse an empty argument: an empty path would mean the current folder."""
        if any(not arg or (arg.startswith("--") and arg.endswith("=")) for arg in args):
            ctx.fail(
                "An argument is empty, as from a variable that is not set; fill it in or omit it."
            )
        return super().parse_args(ctx, args)

    def make_context(self, *args: Any, **options: Any) -> Any:
        """Read the arguments before the command's; what is wrong with them is one sentence."""
        try:
            return super().make_context(*args, **options)
        except _UsageError as error:
            raise _tell(error) from None

    def invoke(self, ctx: Any) -> Any:
        """Run the command; an error raises typer.Exit with its exit code."""
        try:
            with show_messages():
                answer = super().invoke(ctx)
            sys.stdout.flush()
            return answer
        except _UsageError as error:
            raise _tell(error, ctx.invoked_subcommand) from None
        except FashionbenchError as error:
            typer.echo(f"fashionbench: {printable(error)}", err=True)
            raise typer.Exit(error.exit_code) from None
        except KeyboardInterrupt:
            typer.echo("fashionbench: interrupted.", err=True)
            raise typer.Exit(130) from None
        except OSError as error:
            if isinstance(error, BrokenPipeError):
                raise
            _tell_of_system(error)
            raise typer.Exit(1) from None


app = typer.Typer(
    cls=CommandGroup,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Compare image classifiers on Fashion-MNIST: which is better, by how much, "
    "how sure that is, and what it costs in seconds.\n\n"
    "Exit codes: 0 where all was done; 1 where something failed, or a model that was asked for is "
    "missing from the result; 2 for an invalid request; 3 where check cannot tell; "
    "130 after Ctrl-C.",
    epilog=format_examples("fashionbench compare --models v0,v2", "fashionbench compare --help"),
)
for commands in (compare, workers, gauge, train, audit, catalogue, predict, deploy):
    app.add_typer(commands.app)


def _print_version(asked: bool) -> None:
    if asked:
        from importlib.metadata import version

        typer.echo(f"fashionbench {version('fashionbench')}")
        raise typer.Exit


@app.callback()
def _take_options(
    _: Annotated[
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="print the version and exit"
        ),
    ] = False,
) -> None:
    """Take the options that stand before a command."""


def main() -> None:
    """Run the command line, and end with exit code 0, 1, 2, 3 or 130."""
    app(prog_name="fashionbench")
