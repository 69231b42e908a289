"""Drawn networks through the C library, in a process of its own with nothing but ctypes.

python networks_under_sanitizers.py LIBRARY COUNT
"""

import ctypes
import random
import sys

KINDS = [
    "kind",
    "inputs",
    "outputs",
    "height",
    "width",
    "kernel",
    "stride",
    "padding",
    "bias",
    "norm",
    "relu",
    "pool",
]
CONVOLUTION, MEAN, MATRIX = range(3)
VALUES = 6


class Shape(ctypes.Structure):
    _fields_ = [(name, ctypes.c_int32) for name in KINDS] + [
        ("epsilon", ctypes.c_float),
        ("momentum", ctypes.c_float),
    ]


def draw_shapes(rng: random.Random) -> tuple[list[Shape], int]:
    """Some convolutions, perhaps a mean, and some matrices; and the pixels of an image."""
    height, width, channels, shapes = rng.randint(3, 14), rng.randint(3, 14), 1, []
    pixels = height * width
    for _ in range(rng.randint(0, 3)):
        kernel, padding, stride = rng.randint(1, 7), rng.randint(0, 4), rng.choice([1, 1, 2])
        if min(height, width) + 2 * padding < kernel:
            continue
        rows, columns = ((s + 2 * padding - kernel) // stride + 1 for s in (height, width))
        outputs, pool = rng.randint(1, 12), int(rng.random() < 0.5 and min(rows, columns) >= 2)
        sizes = (channels, outputs, height, width, kernel, stride, padding)
        flags = (rng.randint(0, 1), rng.randint(0, 1), rng.randint(0, 1), pool)
        shapes.append(Shape(CONVOLUTION, *sizes, *flags, 1e-5, 0.1))
        channels, height, width = outputs, rows >> pool, columns >> pool
    if shapes and rng.random() < 0.3:
        shapes.append(Shape(MEAN, channels, channels, height, width, 1, 1, 0))
        height = width = 1
    features = channels * height * width
    for _ in range(rng.randint(1, 3)):
        outputs = rng.randint(2, 20)
        flags = (rng.randint(0, 1), 0, rng.randint(0, 1), 0)
        shapes.append(Shape(MATRIX, features, outputs, 1, 1, 1, 1, 0, *flags))
        features = outputs
    return shapes, pixels


def numbers(count: int, rng: random.Random, low: float = -1) -> ctypes.Array[ctypes.c_float]:
    return (ctypes.c_float * count)(*(rng.uniform(low, 1) for _ in range(count)))


def run(library: ctypes.CDLL, seed: int) -> None:
    rng = random.Random(seed)
    shapes, pixels = draw_shapes(rng)
    members, threads = rng.choice([1, 1, 3]), rng.choice([1, 2, 3])
    batch = rng.choice([1, 2, 15, 16, 17, 33, 40])
    team = library.team_new((Shape * len(shapes))(*shapes), len(shapes), members, threads, batch)
    places = members * len(shapes) * VALUES
    values, gradients = (ctypes.c_void_p * places)(), (ctypes.c_void_p * places)()
    held = []
    for place in range(places):
        shape, part = shapes[place // VALUES % len(shapes)], place % VALUES
        weights = shape.inputs * shape.outputs * shape.kernel**2 * (shape.kind != MEAN)
        many = [weights, shape.outputs * shape.bias, *[shape.outputs * shape.norm] * 4][part]
        if many:
            held += [numbers(many, rng, low=0.1 if part == 5 else -1), numbers(many, rng)]
            values[place] = ctypes.addressof(held[-2])
            if part < 4 and rng.random() < 0.9:
                gradients[place] = ctypes.addressof(held[-1])
    classes = shapes[-1].outputs
    images, shares = numbers(members * batch * pixels, rng), numbers(members * batch, rng)
    labels, partners = (
        (ctypes.c_int64 * (members * batch))(
            *(rng.randrange(classes) for _ in range(members * batch))
        )
        for _ in range(2)
    )
    losses, logits = numbers(members, rng), numbers(members * batch * classes, rng)
    for count in sorted({batch, 1, max(1, batch // 2)}):
        mixed = (partners, shares) if seed % 2 else (None, None)
        library.team_step(team, values, gradients, images, count, labels, *mixed, 0.1, losses)
        library.team_answer(team, values, images, count, logits)
    library.team_free(team)


def main() -> None:
    library, pointer, number = ctypes.CDLL(sys.argv[1]), ctypes.c_void_p, ctypes.c_int
    library.team_new.restype = pointer
    library.team_new.argtypes = [pointer, *[number] * 4]
    library.team_free.argtypes = [pointer]
    library.team_step.argtypes = [*[pointer] * 4, number, *[pointer] * 3, ctypes.c_float, pointer]
    library.team_answer.argtypes = [pointer, pointer, pointer, number, pointer]
    count = int(sys.argv[2])
    for seed in range(count):
        run(library, seed)
    sys.stdout.write(f"{count} networks\n")


if __name__ == "__main__":
    main()
