#!/usr/bin/env bash
# With accumulated gradients the learning rate is at 0 after a quarter of the training.
#
# Expected: SGD(CosineDecay(0.1, 100), gradient_accumulation_steps=4) reaches 0 at the 100th update of
# the weights. optimizer.iterations counts the updates, and schedules are functions of it.
# Happens: keras asks the schedule with the count of batches, which it keeps beside. After 25 updates the
# rate is 0 while optimizer.iterations says 25 of 100, and three quarters of the training change
# nothing. Restarts, warm-up and steps come four times too early as well.
# Versions: keras 3.15.1, jax 0.10.2, numpy 2.4.6; Python 3.11.
# For a user: give schedules their lengths in batches, and look at optimizer.learning_rate at the end
# of each epoch.
#
# Seen:
#   gradients of 1 batches: 25 updates, rate 0.0854, weights moved 0.137; 50 updates, rate 0.0500, weights moved 0.056; 75 updates, rate 0.0146, weights moved 0.023; 100 updates, rate 0.0000, weights moved 0.006
#   gradients of 4 batches: 25 updates, rate 0.0000, weights moved 0.104; 50 updates, rate 0.0000, weights moved 0.000; 75 updates, rate 0.0000, weights moved 0.000; 100 updates, rate 0.0000, weights moved 0.000
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check 'keras==3.15.1' 'jax==0.10.2' 'numpy==2.4.6'
KERAS_BACKEND=jax KERAS_HOME="$work" OMP_NUM_THREADS=1 venv/bin/python - <<'PY'
import keras
import numpy as np

random = np.random.default_rng(0)
images, labels = random.random((800, 16)).astype("f4"), random.integers(0, 3, 800)
found = {}
for accumulated, epochs in ((None, 1), (4, 4)):  # 100 updates each, of 8 and of 32 images
    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.Input((16,)), keras.layers.Dense(3)])
    schedule = keras.optimizers.schedules.CosineDecay(0.1, 100)
    optimizer = keras.optimizers.SGD(schedule, gradient_accumulation_steps=accumulated)
    model.compile(optimizer, keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    seen = []
    for _ in range(4):
        size = 800 * epochs // 4
        before = model.layers[0].get_weights()[0]
        model.fit(np.resize(images, (size, 16)), np.resize(labels, size), batch_size=8, verbose=0)
        moved = abs(model.layers[0].get_weights()[0] - before).max()
        seen.append((int(optimizer.iterations), float(optimizer.learning_rate), float(moved)))
    found[accumulated] = seen
    print(f"gradients of {accumulated or 1} batches:", "; ".join(
        f"{updates} updates, rate {rate:.4f}, weights moved {moved:.3f}" for updates, rate, moved in seen))
assert [updates for updates, _, _ in found[None]] == [updates for updates, _, _ in found[4]] == [25, 50, 75, 100]
assert found[None][0][1] > 0.08 and found[None][2][2] > 0 and found[None][3][1] < 1e-6
assert found[4][0][1] < 1e-6 and all(moved == 0 for _, _, moved in found[4][1:])
PY
