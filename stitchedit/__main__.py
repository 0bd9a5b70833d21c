"""`python -m stitchedit`."""

from stitchedit.cli import main

main()
