"""Weights on disk: the same model comes back, and damage is told."""

import json
from pathlib import Path

import pytest
import torch

from fashionbench.config.recipe import load_recipe
from fashionbench.config.study import Job
from fashionbench.core.files import slug
from fashionbench.errors import StoreError, UsageError
from fashionbench.models.build import build_model
from fashionbench.models.checkpoint import checkpoint_path, load_model, save_model
from fashionbench.models.facts import ModelFacts

JOB = Job(model="v2", recipe=load_recipe("default"), seed=0, dataset="silhouettes")


@pytest.mark.parametrize("name", ["v2", "resnet20", "wrn16-4:widening=1", "vit", "speednet"])
def test_a_loaded_model_answers_as_the_saved_one(name: str, tmp_path: Path) -> None:
    job = JOB.model_copy(update={"model": name})
    model = build_model(name, seed=9).to(memory_format=torch.channels_last).eval()
    path = checkpoint_path(tmp_path, job)
    save_model(model, path, ModelFacts(job=job, label="x"))
    loaded, images = load_model(path), torch.rand(3, 1, 28, 28)
    assert not loaded.training
    torch.testing.assert_close(loaded(images), model(images))
    assert sorted(file.suffix for file in path.parent.iterdir()) == [".json", ".safetensors"]


def test_a_model_that_began_with_published_weights_is_rebuilt_without_fetching_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_fetching(*_: object, **__: object) -> None:
        pytest.fail("nothing is to be fetched")

    monkeypatch.setattr(torch.hub, "download_url_to_file", no_fetching)
    model = build_model("torchvision/squeezenet1_1:pretrained=False", seed=3).eval()
    job = JOB.model_copy(update={"model": "torchvision/squeezenet1_1"})
    save_model(model, tmp_path / "model.safetensors", ModelFacts(job=job))
    loaded = load_model(tmp_path / "model.safetensors").state_dict()
    assert all(torch.equal(loaded[name], value) for name, value in model.state_dict().items())


def test_two_jobs_never_share_a_file(tmp_path: Path) -> None:
    longer = JOB.model_copy(update={"recipe": JOB.recipe.override(epochs=4)})
    assert checkpoint_path(tmp_path, JOB) != checkpoint_path(tmp_path, longer)
    assert checkpoint_path(tmp_path, JOB) != checkpoint_path(tmp_path, JOB, "cuda")


def test_long_names_are_cut_and_still_differ(tmp_path: Path) -> None:
    jobs = [
        JOB.model_copy(update={"model": f"{'folder/' * 60}net.py:{name}", "seed": 10**9})
        for name in ("A", "B")
    ]
    for job in jobs:
        save_model(build_model("v0"), checkpoint_path(tmp_path, job), ModelFacts(job=job))
    assert len([*(tmp_path / "checkpoints").glob("*.safetensors")]) == 2
    assert len({slug(job.model) for job in jobs}) == 2


@pytest.mark.parametrize("suffix", [".safetensors", ".json"])
@pytest.mark.parametrize("damage", ["absent", "cut short"])
def test_damage_is_told_by_name(suffix: str, damage: str, tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    save_model(build_model("v2"), path, ModelFacts(job=JOB))
    victim = path.with_suffix(suffix)
    if damage == "absent":
        victim.unlink()
    else:
        victim.write_bytes(victim.read_bytes()[:50])
    with pytest.raises(StoreError, match=victim.name):
        load_model(path)


def test_a_checkpoint_is_named_by_its_path() -> None:
    with pytest.raises(UsageError, match="path is 3, but should be a path"):
        load_model(3)


def test_weights_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    save_model(build_model("v0"), path, ModelFacts(job=JOB))
    with pytest.raises(StoreError, match="do not fit v2"):
        load_model(path)


def test_a_setting_of_another_version_is_named_in_one_sentence(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    save_model(build_model("v0"), path, ModelFacts(job=JOB))
    facts = json.loads(path.with_suffix(".json").read_text("utf-8"))
    facts["job"]["recipe"]["sharpness"] = 3
    path.with_suffix(".json").write_text(json.dumps(facts), "utf-8")
    with pytest.raises(StoreError, match=r"no setting 'job\.recipe\.sharpness'\); train again\.$"):
        load_model(path)
