#!/usr/bin/env bash
# A copied configuration with 5 trials keeps the 3 rates of the one before, and writes both into its JSON.
#
# Expected: model_copy(update={"trials": 5}) of a frozen pydantic model is the model that one would
# have made with trials=5, as dataclasses.replace and attrs.evolve give it: what is computed from
# the settings is computed from the new ones.
# Happens: a cached_property that was read once is copied along with the fields. The copy has the
# rates of the old number of trials, writes them into its JSON where they are a computed_field,
# and yet == says that it is equal to the model made afresh, whose JSON is another. Whether it
# happens depends on whether anybody has looked at the property before: in a debugger, in a log.
# Versions: pydantic 2.14.3, attrs 26.1.0; Python 3.11.
# For a user: a sweep that varies a configuration by model_copy trains by derived values of the first
# one. Derive by a plain property, or build anew: type(config)(**{**config.model_dump(), ...}).
#
# Seen:
#   dataclasses.replace     5 rates
#   attrs.evolve            5 rates
#   model_copy, unread      5 rates
#   model_copy, once read   3 rates
#   {"trials":5,"rates":[0.1,0.05,0.025]} equals the fresh one: True
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check 'pydantic==2.14.3' 'attrs==26.1.0'
venv/bin/python - <<'PY'
import dataclasses
from functools import cached_property

import attrs
import pydantic


def halve(trials):
    return [0.1 / 2**k for k in range(trials)]


@dataclasses.dataclass(frozen=True)
class Plain:
    trials: int

    @cached_property
    def rates(self):
        return halve(self.trials)


@attrs.frozen(slots=False)
class Attrs:
    trials: int

    @cached_property
    def rates(self):
        return halve(self.trials)


class Pydantic(pydantic.BaseModel, frozen=True):
    trials: int

    @pydantic.computed_field
    @cached_property
    def rates(self) -> list[float]:
        return halve(self.trials)


plain, evolved, unread, read = Plain(3), Attrs(3), Pydantic(trials=3), Pydantic(trials=3)
for config in (plain, evolved, read):
    assert len(config.rates) == 3
copies = {
    "dataclasses.replace": dataclasses.replace(plain, trials=5),
    "attrs.evolve": attrs.evolve(evolved, trials=5),
    "model_copy, unread": unread.model_copy(update={"trials": 5}),
    "model_copy, once read": read.model_copy(update={"trials": 5}),
}
for name, copy in copies.items():
    print(f"{name:22}", len(copy.rates), "rates")
stale, fresh = copies["model_copy, once read"], Pydantic(trials=5)
print(stale.model_dump_json(), "equals the fresh one:", stale == fresh)
assert [len(copy.rates) for copy in copies.values()] == [5, 5, 5, 3]
assert stale == fresh
assert stale.model_dump_json() != fresh.model_dump_json()
PY
