"""`python -m gangerd.cli`: the same as `ganger`, where only an interpreter is at hand."""

from gangerd.cli import main

main()
