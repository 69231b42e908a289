"""`python -m fashionbench` is the fashionbench command."""

from fashionbench.cli import main

main()
