"""Networks as people might write them, drawn from a number: a body, and traits of a table.

A trait is a row: the lines that it puts into a person's file, and all that the program may say of
it. A net without such a row is to pass in every way with nothing said. In a row's lines `@` is the
trait's own number, `x` what flows through the net.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass

__all__ = ["BODIES", "ROWS", "TRAITS", "Net", "Trait", "draw_net", "net_of"]

PLACES = ("images", "maps", "features", "logits", "answer")
"""Where a trait stands: (B, 1, 28, 28), (B, 4, 14, 14), (B, 16), (B, K), and what is returned."""


@dataclass(frozen=True)
class Trait:
    """A row of the table."""

    name: str
    place: str
    forward: str = ""
    """Lines of the forward method."""
    init: str = ""
    """Lines of the constructor."""
    says: str = ""
    """Kinds of what may be said of it, between commas; none of a net without a fault."""
    top: str = ""
    """Lines of the module."""
    body: str = ""
    """Lines of the class: its attributes and methods."""
    draws: bool = False
    """Whether torch draws for it in training: then a stack draws other numbers, as it says."""
    rounds: bool = False
    """Whether torch's kernel for it rounds up to a thousand times more in channels_last."""

    @property
    def kinds(self) -> frozenset[str]:
        return frozenset(kind.strip() for kind in self.says.split(",") if kind.strip())


NO_FILE = "not stacked, not resumed, not loadable"
"""Of what training changes, no file holds, and answers depend on."""

BODIES = (
    Trait(
        "layers of numbers",
        "features",
        init="self.first = nn.Linear(784, 16)",
        forward="x = F.relu(self.first(x.flatten(1)))",
    ),
    Trait(
        "a convolution",
        "maps",
        init="self.conv = nn.Conv2d(1, 4, 3, stride=2, padding=1)\nself.first = nn.Linear(196, 16)",
        forward="x = F.relu(self.conv(x))\n>maps\n"
        "x = F.relu(self.first(F.max_pool2d(x, 2).flatten(1)))",
    ),
    Trait(
        "a view of a convolution",
        "maps",
        init="self.conv = nn.Conv2d(1, 4, 3, stride=2, padding=1)\nself.first = nn.Linear(196, 16)",
        forward="x = F.relu(self.conv(x))\n>maps\n"
        "x = F.max_pool2d(x, 2)\nx = F.relu(self.first(x.view(-1, 196)))",
    ),
    Trait(
        "memory as it lies",
        "maps",
        says="not stacked, not exported",
        init="self.conv = nn.Conv2d(1, 4, 3, stride=2, padding=1)\nself.first = nn.Linear(196, 16)",
        forward="x = F.relu(self.conv(x))\n>maps\n"
        "x = F.max_pool2d(x, 2)\nx = x.as_strided((len(x), 196), (196, 1))\n"
        "x = F.relu(self.first(x))",
    ),
    Trait(
        "a net for coloured pictures of 32 pixels",
        "maps",
        init="self.conv = nn.Conv2d(3, 4, 3, stride=2, padding=1)\nself.first = nn.Linear(256, 16)",
        forward="x = F.relu(self.conv(x))\n>maps\n"
        "x = F.relu(self.first(F.max_pool2d(x, 2).flatten(1)))",
    ),
    Trait(
        "depthwise convolutions",
        "maps",
        init="self.stem = nn.Conv2d(1, 4, 3, stride=2, padding=1)\n"
        "self.deep = nn.Conv2d(4, 4, 3, padding=1, groups=4)\n"
        "self.point = nn.Conv2d(4, 4, 1, bias=False)\nself.first = nn.Linear(36, 16)",
        forward="x = self.point(F.relu(self.deep(F.relu(self.stem(x)))))\n>maps\n"
        "x = F.relu(self.first(F.avg_pool2d(x, 4).flatten(1)))",
    ),
    Trait(
        "a table of patches",
        "features",
        init="self.table = nn.Embedding(8, 4)\nself.first = nn.Linear(196, 16)",
        forward="x = (F.avg_pool2d(x, 4).flatten(1) * 7.99).clamp(0, 7).long()\n"
        "x = F.relu(self.first(self.table(x).flatten(1)))",
    ),
    Trait(
        "patches that attend to each other",
        "features",
        says="not stacked",
        init="self.cut = nn.Linear(49, 8)\n"
        "self.attend = nn.MultiheadAttention(8, 2, batch_first=True)\n"
        "self.first = nn.Linear(8, 16)",
        forward="x = self.cut(F.unfold(x, 7, stride=7).transpose(1, 2))\n"
        "x = x + self.attend(x, x, x, need_weights=False)[0]\nx = self.first(x.mean(1))",
    ),
    Trait(
        "a pooled map, squeezed",
        "maps",
        says="batch",
        init="self.conv = nn.Conv2d(1, 4, 3, stride=2, padding=1)\nself.wide = nn.Conv2d(4, 16, 3)",
        forward="x = F.relu(self.conv(x))\n>maps\n"
        "x = F.adaptive_avg_pool2d(self.wide(x), 1).squeeze()",
    ),
    Trait(
        "rows read one after another",
        "features",
        says="not stacked",
        init="self.read = nn.GRU(28, 16, batch_first=True)",
        forward="x = self.read(x.squeeze(1))[0][:, -1]",
    ),
)

TRAITS = (
    # Norms.
    Trait(
        "norm over the batch",
        "features",
        init="self.norm@ = nn.BatchNorm1d(16)",
        forward="x = self.norm@(x)",
    ),
    Trait(
        "norm over the batch of maps",
        "maps",
        rounds=True,
        init="self.norm@ = nn.BatchNorm2d(4)",
        forward="x = self.norm@(x)",
    ),
    Trait(
        "norm without numbers of its own",
        "maps",
        rounds=True,
        init="self.norm@ = nn.BatchNorm2d(4, affine=False)",
        forward="x = self.norm@(x)",
    ),
    Trait(
        "norm with a plain mean",
        "features",
        says="not stacked",
        init="self.norm@ = nn.BatchNorm1d(16, momentum=None)",
        forward="x = self.norm@(x)",
    ),
    Trait(
        "norm that keeps no statistics",
        "features",
        says="batch",
        init="self.norm@ = nn.BatchNorm1d(16, track_running_stats=False)",
        forward="x = self.norm@(x)",
    ),
    Trait(
        "norm that keeps no statistics of maps",
        "maps",
        rounds=True,
        says="batch",
        init="self.norm@ = nn.BatchNorm2d(4, track_running_stats=False)",
        forward="x = self.norm@(x)",
    ),
    Trait(
        "norm over features",
        "features",
        init="self.norm@ = nn.LayerNorm(16)",
        forward="x = self.norm@(x)",
    ),
    Trait(
        "norm over groups",
        "maps",
        init="self.norm@ = nn.GroupNorm(2, 4)",
        forward="x = self.norm@(x)",
    ),
    Trait(
        "norm over instances",
        "maps",
        rounds=True,
        init="self.norm@ = nn.InstanceNorm2d(4, affine=True)",
        forward="x = self.norm@(x)",
    ),
    Trait(
        "norm kept as it was",
        "features",
        init="self.norm@ = nn.BatchNorm1d(16)",
        forward="self.norm@.eval()\nx = self.norm@(x)",
    ),
    # Dropout.
    Trait(
        "dropout",
        "features",
        draws=True,
        init="self.drop@ = nn.Dropout(0.3)",
        forward="x = self.drop@(x)",
    ),
    Trait(
        "dropout of maps",
        "maps",
        draws=True,
        init="self.drop@ = nn.Dropout2d(0.3)",
        forward="x = self.drop@(x)",
    ),
    Trait(
        "dropout by hand",
        "features",
        draws=True,
        forward="x = F.dropout(x, 0.3, training=self.training)",
    ),
    Trait(
        "dropout that stays on",
        "features",
        says="random, not stacked, not exported",
        draws=True,
        forward="x = F.dropout(x, 0.3)",
    ),
    Trait(
        "noise in training",
        "features",
        draws=True,
        forward="if self.training:\n    x = x + 0.1 * torch.randn_like(x)",
    ),
    Trait(
        "noise always",
        "images",
        says="random, not stacked, not exported",
        draws=True,
        forward="x = x + 0.1 * torch.randn_like(x)",
    ),
    Trait(
        "random once it is trained",
        "features",
        says="random, not stacked, not exported",
        draws=True,
        init='self.register_buffer("steps@", torch.zeros((), dtype=torch.long))',
        forward="self.steps@ += self.training\n"
        "x = F.dropout(x, 0.5, training=self.training or bool(self.steps@ > 3))",
    ),
    # What is drawn where it is built.
    Trait(
        "a plain tensor",
        "features",
        init="self.gain@ = torch.linspace(0.5, 1.5, 16)",
        forward="x = x * self.gain@",
    ),
    Trait(
        "a plain tensor that is drawn",
        "features",
        says="not stacked",
        init="self.mask@ = torch.rand(16)",
        forward="x = x * self.mask@",
    ),
    Trait(
        "an array that is drawn",
        "features",
        says="not stacked",
        init="self.mask@ = np.random.rand(16).astype(np.float32)",
        forward="x = x * torch.from_numpy(self.mask@)",
    ),
    Trait(
        "an array that no seed reaches",
        "features",
        says="trained anew, not loadable, not stacked",
        init="self.mask@ = np.random.default_rng().random(16).astype(np.float32)",
        forward="x = x * torch.from_numpy(self.mask@)",
    ),
    Trait(
        "weights that no seed reaches",
        "features",
        says="drawn anew, not stacked",
        init="self.by@ = nn.Linear(16, 16)\n"
        "start = np.random.default_rng().random((16, 16))\n"
        "self.by@.weight.data.copy_(torch.from_numpy(start) / 8)",
        forward="x = F.relu(self.by@(x))",
    ),
    Trait(
        "a number that is drawn",
        "features",
        says="not stacked",
        init="self.gain@ = 0.5 + random.random()",
        forward="x = x * self.gain@",
    ),
    Trait(
        "an order that is drawn",
        "features",
        says="not stacked",
        init="self.order@ = list(range(16))\nrandom.shuffle(self.order@)",
        forward="x = x[:, self.order@]",
    ),
    Trait(
        "a seed inside",
        "features",
        says="same start",
        init="torch.manual_seed(1)\nself.by@ = nn.Linear(16, 16)",
        forward="x = F.relu(self.by@(x))",
    ),
    Trait(
        "seeds of all libraries inside",
        "features",
        says="same start",
        init="random.seed(2)\nnp.random.seed(2)\ntorch.manual_seed(2)\n"
        "self.by@ = nn.Linear(16, 16)",
        forward="x = F.relu(self.by@(x))",
    ),
    Trait(
        "a seed where it answers",
        "features",
        says="not stacked",
        draws=True,
        forward="if self.training:\n    torch.manual_seed(3)\n    x = F.dropout(x, 0.3)",
    ),
    # What is drawn where it is trained.
    Trait(
        "Python's random in training",
        "features",
        says="not stacked",
        forward="if self.training and random.random() < 0.5:\n    x = 0.5 * x",
    ),
    Trait(
        "NumPy's random in training",
        "features",
        says="not stacked",
        forward="if self.training:\n    x = x * float(np.random.uniform(0.5, 1.5))",
    ),
    Trait(
        "a generator that no seed reaches in training",
        "features",
        says="trained anew, not stacked",
        forward="if self.training:\n    x = x * float(np.random.default_rng().uniform(0.5, 1.5))",
    ),
    Trait(
        "a generator of NumPy's own",
        "features",
        says="not stacked, not resumed",
        init="self.rng@ = np.random.default_rng(4)",
        forward="if self.training:\n    x = x * float(self.rng@.uniform(0.2, 2))",
    ),
    Trait(
        "a generator of torch's own",
        "features",
        says="not stacked, not resumed",
        init="self.rng@ = torch.Generator().manual_seed(5)",
        forward="if self.training:\n    x = x * (0.2 + 2 * torch.rand(16, generator=self.rng@))",
    ),
    Trait(
        "a generator of Python's own",
        "features",
        says="not stacked, not resumed",
        init="self.rng@ = random.Random(6)",
        forward="if self.training:\n    x = x * self.rng@.uniform(0.2, 2)",
    ),
    # What changes while it is trained.
    Trait(
        "a counter that nothing reads",
        "features",
        says="not stacked, not resumed",
        init="self.calls@ = 0",
        forward="self.calls@ += 1",
    ),
    Trait(
        "a counter of steps",
        "features",
        says=NO_FILE,
        init="self.steps@ = 0",
        forward="if self.training:\n    self.steps@ += 1\nx = x * (1 + 0.2 * self.steps@)",
    ),
    Trait(
        "a counter of steps, read in training",
        "features",
        says="not stacked, not resumed",
        init="self.steps@ = 0",
        forward="if self.training:\n    self.steps@ += 1\n    x = x / (1 + self.steps@)",
    ),
    Trait(
        "a counter of all calls",
        "features",
        says=f"random, {NO_FILE}, not exported",
        init="self.calls@ = 0",
        forward="self.calls@ += 1\nx = x * (1 + 0.2 * self.calls@)",
    ),
    Trait(
        "a number that cools",
        "logits",
        says=NO_FILE,
        init="self.heat@ = 3.0",
        forward="if self.training:\n    self.heat@ *= 0.9\nx = x / self.heat@",
    ),
    Trait(
        "a running mean as a number",
        "features",
        says=NO_FILE,
        init="self.mean@ = 0.0",
        forward="if self.training:\n    self.mean@ = 0.5 * self.mean@ + 0.5 * x.mean().item()\n"
        "x = x - self.mean@",
    ),
    Trait(
        "a running mean as a tensor",
        "features",
        says=NO_FILE,
        init="self.mean@ = torch.zeros(16)",
        forward="if self.training:\n    self.mean@ = 0.5 * self.mean@ + 0.5 * x.detach().mean(0)\n"
        "x = x - self.mean@",
    ),
    Trait(
        "a running mean in place",
        "features",
        says=NO_FILE,
        init="self.mean@ = torch.zeros(16)",
        forward="if self.training:\n    self.mean@.mul_(0.5).add_(0.5 * x.detach().mean(0))\n"
        "x = x - self.mean@",
    ),
    Trait(
        "a running mean as an array",
        "features",
        says=NO_FILE,
        init="self.mean@ = np.zeros(16, np.float32)",
        forward="if self.training:\n"
        "    self.mean@ += 0.5 * (x.detach().numpy().mean(0) - self.mean@)\n"
        "x = x - torch.from_numpy(self.mean@)",
    ),
    Trait(
        "a running mean in a buffer",
        "features",
        init='self.register_buffer("mean@", torch.zeros(16))',
        forward="if self.training:\n    self.mean@.mul_(0.5).add_(0.5 * x.detach().mean(0))\n"
        "x = x - self.mean@",
    ),
    Trait(
        "a running mean in a buffer that is replaced",
        "features",
        says="not stacked",
        init='self.register_buffer("mean@", torch.zeros(16))',
        forward="if self.training:\n    self.mean@ = 0.5 * self.mean@ + 0.5 * x.detach().mean(0)\n"
        "x = x - self.mean@",
    ),
    Trait(
        "a running mean in a buffer that is not saved",
        "features",
        says="not resumed, not loadable",
        init='self.register_buffer("mean@", torch.zeros(16), persistent=False)',
        forward="if self.training:\n    self.mean@.mul_(0.5).add_(0.5 * x.detach().mean(0))\n"
        "x = x - self.mean@",
    ),
    Trait(
        "a buffer that is not saved",
        "features",
        init='self.register_buffer("gain@", torch.linspace(0.5, 1.5, 16), persistent=False)',
        forward="x = x * self.gain@",
    ),
    Trait(
        "a drawn buffer that is not saved",
        "features",
        init='self.register_buffer("gain@", torch.rand(16), persistent=False)',
        forward="x = x * self.gain@",
    ),
    Trait(
        "a buffer of one number seen many times",
        "features",
        init='self.register_buffer("gain@", torch.tensor(0.5).expand(16))',
        forward="x = x * self.gain@",
    ),
    Trait(
        "a buffer that counts steps",
        "features",
        init='self.register_buffer("steps@", torch.zeros((), dtype=torch.long))',
        forward="if self.training:\n    self.steps@ += 1\nx = x * (1 + 0.1 * self.steps@)",
    ),
    Trait(
        "a buffer that is None",
        "features",
        init='self.register_buffer("mask@", None)',
        forward="x = x if self.mask@ is None else x * self.mask@",
    ),
    Trait(
        "what it saw last",
        "features",
        says="not stacked",
        init="self.seen@ = None",
        forward="self.seen@ = x",
    ),
    Trait(
        "what it saw before",
        "features",
        says="not stacked, not resumed",
        init="self.seen@ = 0.0",
        forward="if self.training:\n"
        "    seen, self.seen@ = self.seen@, x.detach().mean(0)\n    x = x - seen",
    ),
    Trait(
        "a list of losses that nothing reads",
        "features",
        says="not stacked, not resumed",
        init="self.seen@ = []",
        forward="if self.training:\n    self.seen@.append(float(x.mean()))",
    ),
    Trait(
        "a dict that it answers from",
        "features",
        says=NO_FILE,
        init='self.state@ = {"mean": 0.0}',
        forward="if self.training:\n"
        '    self.state@["mean"] += 0.5 * (float(x.mean()) - self.state@["mean"])\n'
        'x = x - self.state@["mean"]',
    ),
    Trait(
        "scales set by the first batch",
        "features",
        says="not stacked, not exported",
        init='self.register_buffer("ready@", torch.tensor(False))\n'
        "self.gain@ = nn.Parameter(torch.ones(16))",
        forward="if not self.ready@:\n"
        "    self.gain@.data.copy_(1 / (0.1 + x.detach().std(0)))\n    self.ready@.fill_(True)\n"
        "x = x * self.gain@",
    ),
    Trait(
        "scales set by the first batch, by a plain flag",
        "features",
        says=NO_FILE,
        init="self.ready@ = False\nself.gain@ = nn.Parameter(torch.ones(16))",
        forward="if not self.ready@:\n"
        "    self.gain@.data.copy_(1 / (0.1 + x.detach().std(0)))\n    self.ready@ = True\n"
        "x = x * self.gain@",
    ),
    Trait(
        "a layer made at the first batch",
        "features",
        says=f"late, {NO_FILE}",
        init="self.late@ = None",
        forward="if self.late@ is None:\n    self.late@ = nn.Linear(x.shape[1], 16)\n"
        "x = x + self.late@(x)",
    ),
    Trait(
        "a layer of a size that is found out",
        "features",
        init="self.late@ = nn.LazyLinear(16)",
        forward="x = F.relu(self.late@(x))",
    ),
    # What all models of a class, or of a file, share.
    Trait(
        "an attribute of the class",
        "features",
        body="GAIN@ = 0.7",
        forward="x = x * self.GAIN@",
    ),
    Trait(
        "a counter of the class",
        "features",
        says=f"shared, {NO_FILE}",
        body="STEPS@ = 0",
        forward="if self.training:\n    type(self).STEPS@ += 1\nx = x * (1 + 0.2 * self.STEPS@)",
    ),
    Trait(
        "a tensor of the class",
        "features",
        body="GAIN@ = torch.linspace(0.5, 1.5, 16)",
        forward="x = x * self.GAIN@",
    ),
    Trait(
        "a running mean of the class",
        "features",
        says=f"shared, {NO_FILE}",
        body="MEAN@ = torch.zeros(16)",
        forward="if self.training:\n    self.MEAN@.mul_(0.5).add_(0.5 * x.detach().mean(0))\n"
        "x = x - self.MEAN@",
    ),
    Trait(
        "a dict of the file",
        "features",
        top='SETTINGS@ = {"gain": 0.7}',
        forward='x = x * SETTINGS@["gain"]',
    ),
    Trait(
        "a dict of the file that changes",
        "features",
        says=f"shared, {NO_FILE}",
        top='STATE@ = {"steps": 0}',
        forward='if self.training:\n    STATE@["steps"] += 1\nx = x * (1 + 0.2 * STATE@["steps"])',
    ),
    Trait(
        "a global number that changes",
        "features",
        says=f"shared, {NO_FILE}",
        top="steps@ = 0",
        forward="global steps@\nif self.training:\n    steps@ += 1\nx = x * (1 + 0.2 * steps@)",
    ),
    Trait(
        "a list of the file that grows",
        "features",
        says="shared, not stacked, not resumed, not exported",
        top="SEEN@ = []",
        forward="SEEN@.append(len(x))",
    ),
    Trait(
        "a list of the file that grows where it is built",
        "features",
        top="BUILT@ = []",
        init="BUILT@.append(1)",
    ),
    Trait(
        "a number of the file that grows where it is built",
        "features",
        says="trained anew, not stacked, not loadable",
        top="BUILT@ = [0]",
        init="BUILT@[0] += 1\nself.gain@ = 1 + 0.3 * BUILT@[0]",
        forward="x = x * self.gain@",
    ),
    Trait(
        "a tensor of the file that is drawn",
        "features",
        top="GAIN@ = torch.rand(16)",
        forward="x = x * GAIN@",
    ),
    Trait(
        "a seed of the file",
        "features",
        top="torch.manual_seed(7)\nrandom.seed(7)",
    ),
    # Layers that are held otherwise.
    Trait(
        "a list of layers",
        "features",
        init="self.more@ = nn.ModuleList(nn.Linear(16, 16) for _ in range(2))",
        forward="for layer in self.more@:\n    x = x + layer(x)",
    ),
    Trait(
        "a plain list of layers",
        "features",
        says="untrained, not stacked",
        init="self.more@ = [nn.Linear(16, 16) for _ in range(2)]",
        forward="for layer in self.more@:\n    x = x + layer(x)",
    ),
    Trait(
        "a plain list with a norm in it",
        "features",
        says="untrained, batch, random, not stacked, not resumed, not loadable, not exported",
        init="self.more@ = [nn.Linear(16, 16), nn.BatchNorm1d(16)]",
        forward="for layer in self.more@:\n    x = layer(x)",
    ),
    Trait(
        "a dict of layers",
        "features",
        init='self.more@ = nn.ModuleDict({"a": nn.Linear(16, 16), "b": nn.Tanh()})',
        forward='x = self.more@["b"](self.more@["a"](x))',
    ),
    Trait(
        "a list of parameters",
        "features",
        init="self.gains@ = nn.ParameterList(torch.ones(16) for _ in range(2))",
        forward="for gain in self.gains@:\n    x = x * gain",
    ),
    Trait(
        "a parameter that is one number",
        "logits",
        init="self.heat@ = nn.Parameter(torch.tensor(0.9))",
        forward="x = x / self.heat@",
    ),
    Trait(
        "tied weights",
        "features",
        says="not stacked",
        init="self.by@, self.back@ = nn.Linear(16, 16), nn.Linear(16, 16)\n"
        "self.back@.weight = self.by@.weight",
        forward="x = self.back@(F.relu(self.by@(x)))",
    ),
    Trait(
        "a layer with two names",
        "features",
        init="self.by@ = nn.Linear(16, 16)\nself.again@ = self.by@",
        forward="x = self.again@(F.relu(self.by@(x)))",
    ),
    Trait(
        "weight norm",
        "features",
        says="not stacked",
        init="self.by@ = nn.utils.parametrizations.weight_norm(nn.Linear(16, 16))",
        forward="x = F.relu(self.by@(x))",
    ),
    Trait(
        "weight norm of old",
        "features",
        says="not stacked",
        init="self.by@ = nn.utils.weight_norm(nn.Linear(16, 16))",
        forward="x = F.relu(self.by@(x))",
    ),
    Trait(
        "spectral norm",
        "features",
        says="not stacked",
        init="self.by@ = nn.utils.parametrizations.spectral_norm(nn.Linear(16, 16))",
        forward="x = F.relu(self.by@(x))",
    ),
    Trait(
        "weights that are pruned",
        "features",
        says="not stacked",
        init="self.by@ = nn.Linear(16, 16)\n"
        'nn.utils.prune.random_unstructured(self.by@, "weight", 0.5)',
        forward="x = F.relu(self.by@(x))",
    ),
    Trait(
        "weights that are frozen",
        "features",
        init="self.by@ = nn.Linear(16, 16)\nself.by@.requires_grad_(False)",
        forward="x = F.relu(self.by@(x))",
    ),
    Trait(
        "weights that are frozen and normed",
        "features",
        init="self.by@ = nn.Sequential(nn.Linear(16, 16), nn.BatchNorm1d(16))\n"
        "self.by@.requires_grad_(False)",
        forward="x = F.relu(self.by@(x))",
    ),
    Trait(
        "double precision",
        "features",
        init="self.by@ = nn.Linear(16, 16).double()",
        forward="x = F.relu(self.by@(x.double())).float()",
    ),
    Trait(
        "complex numbers",
        "features",
        forward="x = torch.fft.fft(x).real / 4",
    ),
    Trait(
        "more than tensors to save",
        "features",
        says="refused",
        init="self.steps@ = 0",
        body="def get_extra_state(self):\n    return {}\n\n"
        "def set_extra_state(self, state):\n    pass",
    ),
    # Methods and objects.
    Trait(
        "a switch that returns nothing",
        "features",
        body="def train(self, mode=True):\n    super().train(mode)",
    ),
    Trait(
        "a switch that leaves a norm as it was",
        "features",
        init="self.still = nn.BatchNorm1d(16)",
        body="def train(self, mode=True):\n    super().train(mode)\n    self.still.eval()\n"
        "    return self",
        forward="x = self.still(x)",
    ),
    Trait(
        "a branch in training",
        "features",
        forward="if self.training:\n    x = F.relu(x)",
    ),
    Trait(
        "a function that reaches for the net",
        "features",
        says="not stacked",
        init="self.gain@ = nn.Parameter(torch.ones(16))\nself.scale@ = lambda x: x * self.gain@",
        forward="x = self.scale@(x)",
    ),
    Trait(
        "a function that changes a buffer of the net",
        "features",
        says="not stacked",
        init='self.register_buffer("mean@", torch.zeros(16))\n'
        "self.note@ = lambda x: self.mean@.mul_(0.5).add_(0.5 * x.detach().mean(0))",
        forward="if self.training:\n    self.note@(x)\nx = x - self.mean@",
    ),
    Trait(
        "a hook that reaches for the net",
        "features",
        says="not stacked",
        init='self.register_buffer("mean@", torch.zeros(16))\n'
        "self.by@ = nn.Linear(16, 16)\n"
        "def note(module, inputs, output):\n"
        "    if self.training:\n"
        "        self.mean@.mul_(0.5).add_(0.5 * output.detach().mean(0))\n"
        "self.by@.register_forward_hook(note)",
        forward="x = self.by@(x) - self.mean@",
    ),
    Trait(
        "a method as an attribute",
        "features",
        init="self.act@ = self.bend@",
        body="def bend@(self, x):\n    return F.relu(x)",
        forward="x = self.act@(x)",
    ),
    Trait(
        "a lock",
        "features",
        says="not stacked",
        init="self.lock@ = threading.Lock()",
        forward="with self.lock@:\n    x = 1.1 * x",
    ),
    Trait(
        "images changed in place",
        "images",
        forward="x -= 0.5\nx /= 0.5",
    ),
    Trait(
        "features changed in place",
        "features",
        forward="x = 1 * x\nx *= 0.9\nx.add_(0.1)",
    ),
    Trait(
        "a part without gradients",
        "features",
        init="self.by@ = nn.Linear(16, 16)",
        forward="with torch.no_grad():\n    y = self.by@(x)\nx = x + y",
    ),
    Trait(
        "a number that is looked at",
        "features",
        says="not stacked, not exported, batch",
        forward="x = x if x.mean().item() > 0.2 else 0.5 * x",
    ),
    # What it answers with.
    Trait(
        "another answer in training",
        "answer",
        says="several answers",
        forward="if self.training:\n    return x, x.mean()",
    ),
    Trait(
        "two answers",
        "answer",
        says="several answers",
        forward="return x, x.exp()",
    ),
    Trait(
        "a dict of answers",
        "answer",
        says="several answers",
        forward='return {"features": x.exp(), "logits": x}',
    ),
    Trait("softmax", "answer", says="squeezed", forward="x = x.softmax(dim=1)"),
    Trait("sigmoid", "answer", says="squeezed", forward="x = torch.sigmoid(x)"),
    Trait("log softmax", "answer", says="log-softmax", forward="x = F.log_softmax(x, dim=1)"),
    Trait(
        "softmax over the batch",
        "answer",
        says="squeezed, batch",
        forward="x = x.softmax(dim=0)",
    ),
    Trait(
        "log softmax over the batch",
        "answer",
        says="batch",
        forward="x = F.log_softmax(x, dim=0)",
    ),
    Trait(
        "centred on the batch",
        "features",
        says="batch",
        forward="x = x - x.mean(0)",
    ),
    Trait(
        "a transposed answer",
        "answer",
        forward="x = x.T.contiguous().T",
    ),
    Trait(
        "otherwise once it is exported",
        "logits",
        says="not exported",
        forward="x = x + (1.0 if torch.compiler.is_exporting() else 0.0)",
    ),
)

ROWS = {trait.name: trait for trait in (*BODIES, *TRAITS)}
"""Every row by its name."""

_FILE = """\
import random
import threading

import numpy as np
import torch
import torch.nn.functional as F
import torch.nn.utils.prune
from torch import nn
{top}

class Net(nn.Module):
{body}
    def __init__(self, classes: int = 10) -> None:
        super().__init__()
{init}

    def forward(self, x):
{forward}
        return x
"""


@dataclass(frozen=True)
class Net:
    """A net and what may be said of it."""

    rows: tuple[Trait, ...]
    """Its body and its traits, in the order in which they work."""
    head_first: bool = False
    """Whether the last layer is written, and drawn, before all others."""

    def __str__(self) -> str:
        names = [row.name for row in self.rows]
        return " + ".join([*names, *(["head written first"] if self.head_first else [])])

    @property
    def may_be_said(self) -> frozenset[str]:
        return frozenset().union(*(row.kinds for row in self.rows))

    @property
    def draws(self) -> bool:
        return any(row.draws for row in self.rows)

    @property
    def rounds(self) -> bool:
        return any(row.rounds for row in self.rows)

    @property
    def source(self) -> str:
        """The person's file."""
        body, *traits = [(str(number), row) for number, row in enumerate(self.rows)]
        at = {
            place: _lines([t for t in traits if t[1].place == place], "forward") for place in PLACES
        }
        head, init = ["self.head = nn.Linear(16, classes)"], _lines([body, *traits], "init")
        before, _, after = body[1].forward.partition(">maps\n")
        forward = [
            *at["images"],
            *before.splitlines(),
            *(at["maps"] if after else []),
            *after.splitlines(),
            *at["features"],
            "x = self.head(x)",
            *at["logits"],
            *at["answer"],
        ]
        return _FILE.format(
            top="\n".join(_lines(traits, "top")),
            body=_indented(_lines(traits, "body"), 4),
            init=_indented([*head, *init] if self.head_first else [*init, *head], 8),
            forward=_indented(_globals_first(forward), 8),
        )


def _lines(rows: Sequence[tuple[str, Trait]], part: str) -> list[str]:
    texts = [getattr(row, part).replace("@", number) for number, row in rows]
    return [line for text in texts if text for line in text.splitlines()]


def _globals_first(lines: list[str]) -> list[str]:
    return sorted(lines, key=lambda line: not line.startswith("global "))


def _indented(lines: Sequence[str], spaces: int) -> str:
    return "\n".join(" " * spaces + line if line else "" for line in lines)


def net_of(*names: str, head_first: bool = False) -> Net:
    """The net of these rows; its body is the first that suits them, unless one is named."""
    rows = [ROWS[name] for name in names]
    if rows[0] not in BODIES:
        suits = {row.place for row in rows}
        body = BODIES[1] if "maps" in suits else BODIES[0]
        rows = [body, *rows]
    return Net(tuple(rows), head_first)


def draw_net(number: int) -> Net:
    """The first nets are the rows of the table, each alone; what follows is drawn.

    Half of those have only rows of which nothing is said.
    """
    names = [*ROWS]
    if number < len(names):
        return net_of(names[number])
    rng = random.Random(number)
    quiet = rng.random() < 0.5
    body = rng.choice([row for row in BODIES if not (quiet and row.says)])
    here = [row for row in TRAITS if row.place != "maps" or body.place == "maps"]
    right, wrong = ([row for row in here if bool(row.says) is bad] for bad in (False, True))
    chosen = rng.sample(right, rng.randint(1 if quiet else 0, 4))
    if not quiet:
        chosen += rng.sample(wrong, rng.choice((1, 1, 2)))
    rng.shuffle(chosen)
    # One answer is returned, and one method has a name.
    last = [row for row in chosen if row.place == "answer"][:1]
    rows = [row for row in chosen if row.place != "answer"]
    rows.sort(key=lambda row: PLACES.index(row.place))
    kept, seen = [], set()
    for row in [*rows, *last]:
        method = row.body.partition("(")[0] if "def train" in row.body else row.name
        if method not in seen:
            kept.append(row)
        seen.add(method)
    return Net((body, *kept), rng.random() < 0.3)
