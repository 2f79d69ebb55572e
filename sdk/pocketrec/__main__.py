"""`python -m pocketrec` is the command `pocketrec`."""

import sys

from pocketrec.cli import main

sys.exit(main())
