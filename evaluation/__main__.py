"""Let ``python -m evaluation`` run the evaluation without the rest of the project."""

import sys

from evaluation.command import main

sys.exit(main())
