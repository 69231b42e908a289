"""Compare the three models from Python, then look closer at one of them.

python examples/compare_three.py [fashion-mnist | silhouettes]
"""

import sys

import fashionbench as fb

dataset = sys.argv[1] if len(sys.argv) > 1 else "fashion-mnist"

# Everything in one call; finished runs are kept in the folder and not run again.
result = fb.compare(["v0", "v1", "v2"], seeds=2, dataset=dataset, out=f"runs/example-{dataset}")
for entry in result.document.entries:
    print(f"{entry.label}: {entry.accuracy.mean:.1%}, sd {entry.accuracy.sd:.1%}")

# The same by hand: one model, one recipe, one seed.
data = fb.load_data(dataset)
model = fb.build_model("mlp", seed=0)
trained = fb.fit(model, data.train, "default", seed=0)
scores = fb.evaluate(model, data.test)
print(f"MLP: {scores.accuracy:.1%} in {trained.train_seconds:.1f} seconds of training")
