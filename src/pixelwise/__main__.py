"""`python -m pixelwise`."""

from pixelwise.cli.main import main

main()
