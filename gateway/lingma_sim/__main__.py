"""`python -m lingma_sim`."""

import sys

from lingma_sim.cli import main

sys.exit(main())
