"""What does it cost that a model of one's own is asked so much before and after it is trained?

For networks from a small MLP to ResNet-18, each in a file as a person writes it: the seconds to
know it by what it builds, to ask it before training and to ask it before its run is kept; and for
the MLP, what an epoch takes of the very network that the table has, in turn, A B A B.

    python benchmarks/gate.py --data DIR [--rounds 5] [--threads 1]

Writes benchmarks/gate.json and prints a line a network.
"""

import argparse
import json
import platform
import statistics
import tempfile
import time
from pathlib import Path

import torch

import fashionbench as fb
from fashionbench.core.machine import processor
from fashionbench.experiments.gate import builder, examine, examine_trained
from fashionbench.experiments.planning import plan
from fashionbench.experiments.whole import why_unloadable
from fashionbench.models.checkpoint import checkpoint_path, save_model
from fashionbench.models.facts import ModelFacts
from fashionbench.models.identity import identify

NETS = """
from torch import nn
from torchvision.models import resnet18

class MLP(nn.Module):
    def __init__(self, num_classes=10):
        super().__init__()
        self.layers = nn.Sequential(
            nn.Flatten(), nn.Linear(784, 10), nn.ReLU(), nn.Linear(10, num_classes)
        )
    def forward(self, x):
        return self.layers(x)

class CNN(nn.Module):
    def __init__(self, num_classes=10):
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(1, 32, 3, padding=1), nn.BatchNorm2d(32), nn.ReLU(), nn.MaxPool2d(2),
            nn.Conv2d(32, 64, 3, padding=1), nn.BatchNorm2d(64), nn.ReLU(), nn.MaxPool2d(2),
        )
        self.head = nn.Sequential(nn.Flatten(), nn.Dropout(0.3), nn.Linear(64 * 49, num_classes))
    def forward(self, x):
        return self.head(self.features(x))

class ResNet(nn.Module):
    def __init__(self, num_classes=10):
        super().__init__()
        self.net = resnet18(num_classes=num_classes)
    def forward(self, x):
        return self.net(x.expand(-1, 3, -1, -1))
"""


def seconds(call):
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def ask(reference, data, rounds):
    """Return the medians of each kind of question about a network."""
    ((job,),) = plan([reference], ["default"], [0], dataset="fashion-mnist").entries()
    model = builder(job, data)(0)
    with tempfile.TemporaryDirectory() as folder:
        path = checkpoint_path(Path(folder), job)
        facts = ModelFacts(job=job, classes=data.classes)
        save_model(model, path, facts, data.test.images)

        def before_it_is_kept():
            examine_trained(model, data.test.images)
            assert why_unloadable(model, path, data.test.images) is None

        questions = {
            "identity": lambda: identify(reference),
            "before_training": lambda: examine(job, data),
            "before_it_is_kept": before_it_is_kept,
        }
        for call in questions.values():
            call()
        return {
            name: statistics.median(seconds(call) for _ in range(rounds))
            for name, call in questions.items()
        }


def steps(reference, data, rounds):
    """Time an epoch of the person's network and of the table's, in turn."""
    recipe = fb.load_recipe("default").override(epochs=1)
    taken = {name: [] for name in (reference, "mlp")}
    for _ in range(rounds):
        for name, times in taken.items():
            model = fb.build_model(name, 0)
            times.append(fb.fit(model, data.train, recipe, 0, device="cpu").train_seconds)
    own, table = taken.values()
    ratios = [a / b for a, b in zip(own, table, strict=True)]
    return {"own": own, "table": table, "ratio": statistics.median(ratios)}


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=1)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    data = fb.load_data(data_dir=arguments.data)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "nets.py"
        file.write_text(NETS)
        results = {}
        for name in ("MLP", "CNN", "ResNet"):
            results[name] = ask(f"{file}:{name}", data, arguments.rounds)
            told = ", ".join(f"{key} {value:.3f} s" for key, value in results[name].items())
            print(f"{name}: {told}")
        epochs = steps(f"{file}:MLP", data, arguments.rounds)
    print(f"an epoch of the MLP takes {epochs['ratio']:.2f} times as long as the table's")
    document = {
        "processor": processor(),
        "threads": arguments.threads,
        "torch": torch.__version__,
        "python": platform.python_version(),
        "rounds": arguments.rounds,
        "seconds": results,
        "epochs": epochs,
    }
    Path(__file__).with_suffix(".json").write_text(json.dumps(document, indent=2) + "\n")


if __name__ == "__main__":
    main()
