"""`python -m cxreason` is the command line, for places where the `cxreason` script is not on the path."""

from cxreason.cli import main

main()
