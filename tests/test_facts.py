"""What stands beside a model's weights comes back as it was written, of older files too."""

import json

import numpy as np
import pytest
import torch

from fashionbench.config.recipe import load_recipe
from fashionbench.config.study import Job
from fashionbench.data.picture_facts import PictureFacts
from fashionbench.models.adapter import Interface
from fashionbench.models.facts import Answers, ModelFacts

JOB = Job(model="v2", recipe=load_recipe("default"), seed=0, dataset="silhouettes")
IMAGES = torch.arange(2 * 28 * 28).view(2, 28, 28).to(torch.uint8)


def test_facts_are_read_as_they_were_written() -> None:
    logits = np.array([[0.1, 1e-30], [-3.5, 1 / 3]], np.float32)
    facts = ModelFacts(
        job=JOB,
        interface=Interface(3, 32, True),
        answers=Answers.pack(IMAGES, logits, 1e-3),
        label="V2",
        classes=("a", "b"),
        parameters=7,
        temperature=1.5,
        pictures=PictureFacts((0.0, 20.5), (0.0, 4095.0)),
        environment={"versions": {"torch": "2"}, "threads": 1},
    )
    again = ModelFacts.model_validate_json(facts.model_dump_json())
    assert again == facts
    assert again.answers is not None
    assert torch.equal(again.answers.unpack_images(), IMAGES)
    assert np.array_equal(np.array(again.answers.logits, np.float32), logits)


@pytest.mark.parametrize("more", [{}, {"of_another_time": 1}, {"pictures": {}}])
def test_an_older_file_says_less_and_may_say_more(more: dict[str, object]) -> None:
    facts = ModelFacts.model_validate(json.loads(json.dumps({"job": JOB.model_dump()} | more)))
    assert facts == ModelFacts(job=JOB)
    assert (facts.interface, facts.answers, facts.pictures.levels) == (None, None, None)
