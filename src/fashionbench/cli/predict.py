"""The command that classifies your own pictures with a trained model."""

import glob
import io
import json
import os
import sys
from collections import defaultdict
from collections.abc import Iterator
from contextlib import redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from fashionbench.cli.options import TRAINED_MODEL, Command, JsonOption, format_examples
from fashionbench.core.names import printable
from fashionbench.core.progress import progress_bar
from fashionbench.errors import DataError, StoreError, UsageError

if TYPE_CHECKING:
    from rich.console import Console

    from fashionbench.inference.photos import Prepared
    from fashionbench.inference.predictor import Prediction, Predictor

__all__ = ["app"]

app = typer.Typer()


@app.command(
    cls=Command,
    epilog=format_examples(
        "fashionbench predict ~/wardrobe --model photo",
        "fashionbench predict shoe.jpg --model runs/fashion-mnist:v2",
        "fashionbench predict 'shoes/*.jpg' --json",
        "fashionbench predict ~/DCIM --jsonl > answers.jsonl",
    ),
)
def predict(
    images: Annotated[
        list[str],
        typer.Argument(
            metavar="PICTURE",
            help="pictures, folders, patterns such as '*.jpg', or - for standard input",
        ),
    ],
    model: Annotated[
        Path | None,
        typer.Option(metavar="MODEL", help=TRAINED_MODEL, show_default="photo"),
    ] = None,
    save_prepared: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER", help="save the pictures as the model saw them in this folder, as PNG"
        ),
    ] = None,
    as_json: JsonOption = False,
    as_lines: Annotated[
        bool,
        typer.Option(
            "--jsonl", help="print a line of JSON for each picture, as soon as it is ready"
        ),
    ] = False,
) -> None:
    """Say which item of clothing is on each of your pictures, and how sure that is.

    A picture should show one item, on any background; if several lie apart, each is named. A
    picture that cannot be read is reported on standard error; the others are still classified, and
    the exit code is 1.
    """
    from fashionbench.inference.predictor import load_predictor

    if as_json and as_lines:
        raise UsageError("Give either --json or --jsonl.")

    with redirect_stdout(sys.stderr):  # a person's own model may print
        predictor = load_predictor(model)
    where = "" if model is None else f", {printable(predictor.path)}"
    name = "photo" if model is None else predictor.label
    typer.echo(f"fashionbench: the model is {name}{where}", err=True)
    answers, notes, out = list[_Answer](), list[str](), sys.stdout
    with redirect_stdout(sys.stderr):
        pictures = [picture for name in images for picture in _find_pictures(name, notes)]
        with progress_bar(total=len(pictures), desc="predict", unit=" pictures") as bar:
            for answer in _classify_all(predictor, pictures, save_prepared):
                bar.update()
                if answer.error:
                    bar.write(f"fashionbench: {answer.error}", file=sys.stderr)
                if as_lines:
                    bar.write(json.dumps(_describe_answer(answer)), file=out)
                    out.flush()
                    answer = _Answer(answer.picture, error=answer.error)  # the rest is told
                answers.append(answer)
    if as_json:
        typer.echo(json.dumps(_build_document(predictor, answers, notes), indent=2))
    elif not as_lines:
        _print_table(predictor, answers)
    if any(answer.error for answer in answers):
        raise typer.Exit(1)


@dataclass(frozen=True)
class _Answer:
    """What is printed of one picture: a prediction, or why there is none."""

    picture: str
    prediction: "Prediction | None" = None
    saved: str | None = None
    """Where the prepared picture was written."""
    error: str | None = None


def _classify_all(
    predictor: "Predictor", pictures: "list[str | _Answer]", folder: Path | None
) -> Iterator[_Answer]:
    """Classify pictures in order, prepared ahead on all cores; save them in any `folder` given."""
    import torch

    from fashionbench.core.ahead import map_ahead

    def prepare(picture: "str | _Answer") -> "Prepared | _Answer":
        return picture if isinstance(picture, _Answer) else _prepare(predictor, picture)

    all_prepared = map_ahead(prepare, pictures, begin=lambda: torch.set_num_threads(1))
    for name, prepared in zip(pictures, all_prepared, strict=True):
        if isinstance(prepared, _Answer):
            yield prepared
            continue
        prediction, name = predictor.judge(prepared), str(name)
        saved = None if folder is None else printable(_write_prepared(prediction, name, folder))
        yield _Answer(printable(name), prediction, saved)


def _prepare(predictor: "Predictor", name: str) -> "Prepared | _Answer":
    """Read a picture and prepare it as the model expects it, or say why that cannot be."""
    from fashionbench.data.picture_reading import load_picture

    levels = predictor.levels
    try:
        if name == "-":
            picture = load_picture(io.BytesIO(sys.stdin.buffer.read()), "standard input", levels)
        else:
            picture = load_picture(Path(name), levels=levels)
    except DataError as error:
        return _refuse(name, str(error))
    try:
        return predictor.prepare(picture)
    except DataError as error:
        return _refuse(name, f"{name}: {error}")


def _refuse(name: str, error: str) -> _Answer:
    return _Answer(printable(name), error=printable(error))


def _find_pictures(name: str, notes: list[str]) -> "list[str | _Answer]":
    """List the pictures of a folder or a pattern by name; anything else is a picture itself.

    Files that are passed over are counted on standard error and in `notes`. Where there are no
    pictures, the answer says so.
    """
    from fashionbench.data.notes import note_passed_over
    from fashionbench.data.picture_files import find_pictures

    path = Path(name)
    try:
        if path.is_dir():
            kind, (pictures, others) = "folder", find_pictures(path)
        elif glob.has_magic(name) and not path.exists():
            kind, (pictures, others) = "pattern", _match_pattern(name)
        else:
            return [name]
    except OSError as error:
        return [_refuse(name, f"{name} cannot be read ({error.strerror}).")]
    except DataError as error:
        return [_refuse(name, str(error))]
    for note in note_passed_over(others):
        notes.append(f"{printable(name)}: {note}")
        typer.echo(f"fashionbench: {notes[-1]}", err=True)
    if not pictures:
        return [_refuse(name, f"There are no pictures in the {kind} {name}.")]
    return [str(file) for file in pictures]


def _match_pattern(pattern: str) -> tuple[list[Path], list[Path]]:
    """Return the pictures that match, themselves or by their folder, each once; then the rest."""
    from fashionbench.data.picture_files import find_pictures, is_housekeeping, separate_pictures

    asked = Path(pattern).parts
    names = glob.glob(pattern, recursive=True)  # noqa: PTH207 - a pattern may be absolute
    found = [
        path
        for path in sorted(map(Path, names))
        if not any(is_housekeeping(part) for part in path.parts if part not in asked)
    ]
    pictures, others = separate_pictures(path for path in found if not path.is_dir())
    for folder in (path for path in found if path.is_dir()):
        within, beside = find_pictures(folder)
        pictures, others = [*pictures, *within], [*others, *beside]
    return list(dict.fromkeys(pictures)), list(dict.fromkeys(others))


def _write_prepared(prediction: "Prediction", name: str, folder: Path) -> Path:
    """Write the picture as the model saw it, and return the path; no file is written over."""
    from PIL import Image

    stem = "stdin" if name == "-" else Path(name).stem
    try:
        folder.mkdir(parents=True, exist_ok=True)
        path, number = folder / f"{stem}.png", 1
        while path.exists():  # pictures of different folders may share a name
            number += 1
            path = folder / f"{stem}-{number}.png"
        seen = prediction.prepared
        Image.fromarray(seen if seen.ndim == 2 else seen.transpose(1, 2, 0)).save(path)
    except OSError as error:
        raise StoreError(
            f"{folder} cannot be written ({error.strerror}); name another with --save-prepared."
        ) from None
    return path


def _build_document(
    predictor: "Predictor", answers: list[_Answer], notes: list[str]
) -> dict[str, Any]:
    from fashionbench.inference.predictor import SURE

    return {
        "model": predictor.label,
        "checkpoint": printable(predictor.path),
        "temperature": predictor.temperature,
        "sure_from": SURE,
        "notes": notes,
        "pictures": [_describe_answer(answer) for answer in answers],
    }


def _describe_answer(answer: _Answer) -> dict[str, Any]:
    found = answer.prediction
    if found is None:
        return {"picture": answer.picture, "error": answer.error}
    return {
        "picture": answer.picture,
        **_describe_prediction(found),
        "warnings": found.warnings,
        "mask": found.mask,
        "prepared": answer.saved,
        "items": [{"box": item.box, **_describe_prediction(item)} for item in found.items],
    }


def _describe_prediction(found: "Prediction") -> dict[str, Any]:
    return {
        "class": found.label,
        "sure": found.sure,
        "remaining": found.remaining,
        "probabilities": dict(zip(found.classes, found.probabilities, strict=True)),
    }


def _print_table(predictor: "Predictor", answers: list[_Answer]) -> None:
    from rich.console import Console
    from rich.table import Table

    found = [answer for answer in answers if answer.prediction]
    console = Console(highlight=False, markup=False, emoji=False)
    if not found:
        return
    table = Table(box=None, pad_edge=False)
    table.add_column("picture", overflow="fold")
    for heading in ("class", "", "or"):
        table.add_column(heading)
    for answer, name in zip(found, _shorten([answer.picture for answer in found]), strict=True):
        assert answer.prediction is not None
        items = answer.prediction.items
        for number, item in enumerate(items, 1):
            table.add_row(f"{name}, {number} of {len(items)} from the left", *_describe_row(item))
        if not items:
            table.add_row(name, *_describe_row(answer.prediction))
    console.print(table)
    _print_warnings(console, found)
    if predictor.temperature is None:
        console.print(
            "The probabilities are not calibrated: the model was trained without validation images."
        )


def _describe_row(found: "Prediction") -> tuple[str, str, str]:
    (first, probability), *others = found.top(3)
    *some, last = found.remaining or (first,)
    return (
        first if found.sure else f"not sure: {', '.join(some)} or {last}",
        f"{probability:.0%}",
        ", ".join(f"{name} {share:.0%}" for name, share in others),
    )


def _print_warnings(console: "Console", answers: list[_Answer]) -> None:
    """Print each warning once, with the pictures that it is about."""
    about = defaultdict[str, list[str]](list)
    for answer in answers:
        for warning in answer.prediction.warnings if answer.prediction else ():
            about[warning].append(Path(answer.picture).name)
    for warning, names in about.items():
        more = f" and {len(names) - 3:,} more" if len(names) > 3 else ""
        console.print(f"! {', '.join(names[:3])}{more}: {warning}")


def _shorten(names: list[str]) -> list[str]:
    """Return the paths without the folders that all of them share."""
    try:
        shared = os.path.commonpath([Path(name).parent for name in names])
    except ValueError:  # relative ones and absolute ones
        return names
    return [str(Path(name).relative_to(shared)) for name in names]
