"""`python -m lingma_gateway`."""

from lingma_gateway.cli import main

main()
