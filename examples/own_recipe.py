"""An optimizer, a loss and a schedule of your own, in place of the built-in ones.

fashionbench compare --models v2 --optimizer examples/own_recipe.py:SignSGD --lr 0.001
fashionbench compare --models mlp --loss examples/own_recipe.py:focal
fashionbench compare --models mlp --schedule examples/own_recipe.py:trapezoid
"""

import torch
import torch.nn.functional as F


class SignSGD(torch.optim.Optimizer):
    """Steps of one size, in the sign of the gradient (Bernstein et al. 2018, arXiv 1802.04434)."""

    def __init__(self, params, lr=0.001):
        super().__init__(params, {"lr": lr})

    @torch.no_grad()
    def step(self):
        """Move each weight by the rate against the sign of its gradient."""
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.grad is not None:
                    parameter.sub_(parameter.grad.sign(), alpha=group["lr"])


def focal(logits, labels):
    """Let images that are right already count less (Lin et al. 2017, arXiv 1708.02002)."""
    losses = F.cross_entropy(logits, labels, reduction="none")
    return (1 - (-losses).exp()) ** 2 * losses


def trapezoid(step, steps):
    """Go up for a quarter of the steps, then level, then down for a quarter."""
    return min(1.0, 4 * (step + 1) / steps, 4 * (steps - step) / steps)
