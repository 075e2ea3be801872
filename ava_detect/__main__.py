"""Let ``python -m ava_detect`` (and torchrun's ``-m ava_detect``) run the command line."""

import sys

from ava_detect.cli import main

sys.exit(main())
