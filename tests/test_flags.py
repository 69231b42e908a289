"""A recipe's settings as flags: one for each, passed on as a file would hold it."""

import typer
from typer.testing import CliRunner

from fashionbench.cli.flags import describe_settings, with_recipe_flags
from fashionbench.config.recipe import SETTINGS

app = typer.Typer()
given: dict[str, object] = {}


@app.command()
@with_recipe_flags
def command(own: str = "x", **settings: str | None) -> None:
    """A command."""
    given.clear()
    given.update(settings, own=own)


def test_every_setting_is_a_flag_and_its_help_the_fields_own() -> None:
    text = CliRunner().invoke(app, ["--help"], env={"COLUMNS": "300"}).output
    for name, field in SETTINGS.items():
        assert "--" + name.replace("_", "-") in text
        assert str(field.description) in text
        assert f": {field.description}" in describe_settings()
    assert 'schedule = "constant": ' in describe_settings()
    assert "patience (not set): " in describe_settings()
    assert "augmentation = []: " in describe_settings()
    assert "tuned over log 0.03125..32 times it" in describe_settings()
    assert "one|flip|shifts" in text


def ask(*arguments: str) -> dict[str, object]:
    assert CliRunner().invoke(app, [*arguments]).exit_code == 0
    return {key: value for key, value in given.items() if value is not None}


def test_values_are_passed_on_as_typed_and_nothing_else_is_set() -> None:
    said = ask("--augmentation", "flip,shift:2", "--patience", "none", "--own", "1")
    assert said == {"augmentation": "flip,shift:2", "patience": "none", "own": "1"}


def test_numbers_are_read_as_a_file_would_hold_them() -> None:
    said = ask("--lr", "0.5", "--epochs", "5", "--betas", "0.9,1", "--ema", "much", "--nesterov")
    numbers = {"learning_rate": 0.5, "epochs": 5, "betas": [0.9, 1], "nesterov": True}
    assert said == numbers | {"ema": "much", "own": "x"}
