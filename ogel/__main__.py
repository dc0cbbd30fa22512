"""`python -m ogel` is the `ogel` command."""

from ogel.cli import main

main()
