"""A trained model -> one file for other programs, checked against the original first.

Both formats take batches of any size and carry metadata that says what the model is. A model
card, filled from the run's record, is written beside the file.
"""

import io
import json
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from fashionbench.config.study import Job
from fashionbench.core.files import write_atomically
from fashionbench.core.logits import are_alike, batch_size, infer, pixels
from fashionbench.core.shape import Shape
from fashionbench.data.datasets import DATASETS, load_arrays
from fashionbench.errors import FashionbenchError, MissingPackage, StoreError, UsageError
from fashionbench.inference.predictor import Predictor, load_predictor
from fashionbench.models.facts import ModelFacts
from fashionbench.report.comparison import Comparison
from fashionbench.stats.intervals import Summary, summarize_fractions
from fashionbench.stats.metrics import image_losses
from fashionbench.store.records import RunRecord
from fashionbench.store.run_store import RunStore

if TYPE_CHECKING:
    from torch.export import ExportedProgram

__all__ = ["FORMATS", "Export", "export_model"]

IMAGES = 1000
"""Test images on which the exported model must answer like the original."""
TOLERANCE = 1e-4
"""Largest difference of a logit, as a part of the largest logit: some hundred roundings."""

BATCH = "batch"
"""What an exported file calls its first dimension."""

Answer = Callable[[NDArray[Any]], NDArray[Any]]
"""(B, ...) what the exported model takes -> (B, K) logits."""


class Format(NamedTuple):
    """How a model is written to a file, and how others run it."""

    suffix: str
    write: Callable[["ExportedProgram", dict[str, str]], bytes]
    """A traced model and its metadata -> the file."""
    read: Callable[[bytes], Answer]
    """The file -> the model in it, run by the program that others would run it with."""


@dataclass(frozen=True)
class Export:
    """What was written, and how close its answers are to the original's."""

    path: Path
    card: Path
    label: str
    images: int
    largest_difference: float
    """Of any logit of any of the images."""

    def __str__(self) -> str:
        return (
            f"{self.path}: {self.label}, its logits within {self.largest_difference:.1g} of the "
            f"original's on {self.images:,} test images\n{self.card}: its model card"
        )


class _FromBytes(nn.Module):
    """A model that scales pixels itself: (B, [C,] H, W) uint8 images -> (B, K) logits."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, images: Tensor) -> Tensor:
        logits: Tensor = self.model(pixels(images))
        return logits


def export_model(
    where: Path,
    to: str = "onnx",
    out: Path | None = None,
    *,
    with_preprocessing: bool = False,
    data_dir: Path | None = None,
) -> Export:
    """Write the model of a checkpoint, or the best one of a run folder, and its card.

    The written model takes (B, 1, 28, 28) float pixels in [0, 1], or (B, 28, 28) uint8
    `with_preprocessing`, or the like of the data set's own shape, and gives (B, K) logits.
    `data_dir` holds the data set's files, for a checkpoint that no longer lies in its run folder.
    Raises UsageError for an unknown format or a missing extra, and StoreError for a checkpoint that
    cannot be read, or if the written model would not answer like the original.
    """
    if to not in FORMATS:
        raise UsageError(f"There is no format {to!r}; there are {', '.join(FORMATS)}.")
    if out is not None and out.is_dir():
        raise UsageError(f"{out} is a folder; give --out the name of a file.")
    predictor = load_predictor(where)
    facts = predictor.facts
    job = facts.job
    model = _FromBytes(predictor.model).eval() if with_preprocessing else predictor.model
    images = _load_test_images(predictor.path, job, data_dir)
    run = _load_record(predictor.path, job)[0]
    if run is not None:
        _compare_with_record(predictor, job, images, run)
    taken = images if with_preprocessing else pixels(images)
    about = _describe(predictor, job, facts, with_preprocessing)
    parts = taken.split(batch_size(predictor.model, images))
    content, answers = _convert(model, parts, to, about, predictor.label)
    largest = _compare(answers, infer(predictor.model, images), predictor.label)
    path = out or Path(_name_file(predictor.path) + FORMATS[to].suffix)
    card = path.with_name(f"{path.name}.md")
    write_atomically(path, content)
    made = Export(path, card, predictor.label, len(images), largest)
    write_atomically(card, _render_card(made, to, about, predictor, job).encode())
    return made


def _name_file(path: Path) -> str:
    """Name the file after the checkpoint, or after its folder if `train` wrote it; no suffix."""
    return path.resolve().parent.name if path.name == "model.safetensors" else path.stem


def _load_test_images(path: Path, job: Job, data_dir: Path | None) -> Tensor:
    """Return uint8: the first test images, of the run folder or of the data set."""
    store = _open_store(path)
    kept = store and store.load_test_set(job.test_set)
    if kept:
        images = kept.images
    else:
        ((images, _),) = load_arrays(
            job.dataset, data_dir, ("test",), channels=job.channels, size=job.size
        )
    return torch.tensor(images[:IMAGES])


def _open_store(path: Path) -> RunStore | None:
    """Open the store of the run folder that a checkpoint lies in; None if it lies elsewhere."""
    folder = path.resolve().parent.parent
    return RunStore(folder) if (folder / "store.sqlite").is_file() else None


def _describe(
    predictor: Predictor, job: Job, facts: ModelFacts, with_preprocessing: bool
) -> dict[str, str]:
    """Return the metadata inside the file; every value is text."""
    kind = "uint8" if with_preprocessing else "float32 in [0, 1]"
    ground = ", light on black" if job.channels == 1 else ", in color"
    return {
        "model": predictor.label,
        "input": f"(B, {_list_sizes(job.shape, with_preprocessing)}) {kind}{ground}",
        "output": "(B, K) logits",
        "classes": json.dumps(predictor.classes),
        "temperature": str(predictor.temperature or 1.0),
        "dataset": job.dataset,
        "recipe": job.recipe.model_dump_json(),
        "seed": str(job.seed),
        "parameters": str(facts.parameters),
        "test_accuracy": json.dumps(facts.test_accuracy),
        "versions": json.dumps(facts.environment["versions"]),
    }


def _list_sizes(shape: Shape, with_preprocessing: bool) -> str:
    """Write the sizes of an image: its channels count where it is in color, or of floats."""
    without_channels = with_preprocessing and shape.channels == 1
    return ", ".join(map(str, shape.sizes[1:] if without_channels else shape.sizes))


def _convert(
    model: nn.Module, parts: Sequence[Tensor], to: str, about: dict[str, str], label: str
) -> tuple[bytes, NDArray[Any]]:
    """Return the file, and the (N, K) logits that it answers to the images in `parts`."""
    with _refusing(label, "torch.export does not follow its forward method"):
        program = _trace(model, parts[0][:2])
    with _refusing(label, f"it has no form in {to}"):
        content = FORMATS[to].write(program, about)
        answer = FORMATS[to].read(content)
        return content, np.concatenate([answer(part.numpy()) for part in parts])


@contextmanager
def _refusing(label: str, reason: str) -> Iterator[None]:
    """Turn whatever the exporter raises over a person's model into one sentence."""
    try:
        yield
    except FashionbenchError:
        raise
    except Exception as error:
        first_line = next(iter(str(error).strip().splitlines()), type(error).__name__)
        raise StoreError(f"{label} cannot be exported: {reason} ({first_line}).") from error


def _trace(model: nn.Module, example: Tensor) -> "ExportedProgram":
    # Of two images: a batch of one would be taken for a constant.
    shapes = ({0: torch.export.Dim(BATCH)},)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return torch.export.export(model, (example,), dynamic_shapes=shapes)


def _write_onnx(program: "ExportedProgram", about: dict[str, str]) -> bytes:
    _require_onnx()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        made = torch.onnx.export(
            program,
            input_names=["images"],
            output_names=["logits"],
            dynamo=True,
            verbose=False,
        )
    assert made is not None
    _name_first_dimension(made.model)
    made.model.producer_name = "fashionbench"
    made.model.metadata_props.update(about)
    content: bytes = made.model_proto.SerializeToString()
    return content


def _name_first_dimension(model: Any) -> None:
    """Call the number of images `batch`: torch.export's own name for it, such as s34, is drawn."""
    graph = model.graph
    drawn = graph.inputs[0].shape[0]
    values = [*graph.inputs, *(output for node in graph for output in node.outputs)]
    for value in values:
        for place, size in enumerate(value.shape or ()):
            if size == drawn:
                value.shape[place] = BATCH


def _read_onnx(content: bytes) -> Answer:
    from onnxruntime import InferenceSession

    session = InferenceSession(content, providers=["CPUExecutionProvider"])
    return lambda images: np.asarray(session.run(["logits"], {"images": images})[0])


def _require_onnx() -> None:
    try:
        import onnx  # noqa: F401
        import onnxruntime  # noqa: F401
        import onnxscript  # noqa: F401
    except ImportError as error:
        raise MissingPackage("ONNX", error.name or "onnx", extra="export") from None


def _write_torch_export(program: "ExportedProgram", about: dict[str, str]) -> bytes:
    buffer = io.BytesIO()
    torch.export.save(program, buffer, extra_files={"about.json": json.dumps(about)})
    return buffer.getvalue()


def _read_torch_export(content: bytes) -> Answer:
    model = torch.export.load(io.BytesIO(content)).module()

    def answer(images: NDArray[Any]) -> NDArray[Any]:
        with torch.inference_mode():
            logits: Tensor = model(torch.from_numpy(images))
        return logits.numpy()

    return answer


FORMATS = {
    "onnx": Format(".onnx", _write_onnx, _read_onnx),
    "torch-export": Format(".pt2", _write_torch_export, _read_torch_export),
}


def _compare(found: NDArray[Any], expected: NDArray[Any], label: str) -> float:
    """Return the largest difference of a logit. Raises StoreError if it is more than rounding."""
    largest = float(np.abs(found - expected).max())
    if not are_alike(found, expected, TOLERANCE):
        raise StoreError(
            f"The exported {label} does not answer as the original (its logits differ by "
            f"{largest:.2g}), so nothing was written; try another --to."
        )
    return largest


def _compare_with_record(predictor: Predictor, job: Job, images: Tensor, run: RunRecord) -> None:
    """Refuse a model that does not answer as its run did when it was scored."""
    logits = infer(predictor.model, images, job.recipe.test_views)
    store = _open_store(predictor.path)
    kept = store and store.load_test_set(job.test_set)
    if not kept:
        return
    losses = image_losses(logits, kept.labels[: len(images)])
    recorded = run.losses[: len(images)]
    # A loss is a difference of logits: what an accelerator rounds, it rounds twice.
    near = np.isclose(losses, recorded, rtol=0.05, atol=0.05 * max(1.0, float(losses.max())))
    if not near.all():
        raise StoreError(
            f"{predictor.label} does not answer as was recorded of its run (on "
            f"{np.count_nonzero(~near):,} of {len(images):,} test images), so nothing was "
            "written: its file does not hold all of it. Train again with all that it needs in "
            "parameters and buffers."
        )


def _render_card(
    made: Export, to: str, about: dict[str, str], predictor: Predictor, job: Job
) -> str:
    import jinja2

    run, accuracy = _load_record(predictor.path, job)
    store = _open_store(predictor.path)
    kept = store and store.load_test_set(job.test_set)
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("fashionbench.inference"),
        autoescape=False,  # this is Markdown
        keep_trailing_newline=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    entry = kept or DATASETS.get(job.dataset)
    return environment.get_template("model_card.md.j2").render(
        made=made,
        to=to,
        about=about,
        classes=predictor.classes,
        sizes=_list_sizes(job.shape, "uint8" in about["input"]),
        temperature=predictor.temperature,
        job=job,
        title=entry.title if entry else job.dataset,
        versions=json.loads(about["versions"]),
        test_accuracy=json.loads(about["test_accuracy"]),
        run=run,
        accuracy=accuracy and asdict(accuracy),
    )


def _load_record(path: Path, job: Job) -> tuple[RunRecord | None, Summary | None]:
    """Return the run's record, and the accuracy over all seeds of its comparison, if recorded."""
    store = _open_store(path)
    if store is None:
        return None, None
    for entry in Comparison.load(store.folder).entries:
        if job.key in (run.job.key for run in entry.runs):
            return store.load_run(job), summarize_fractions(entry.accuracies)
    return store.load_run(job), None
