"""``python -m person_detector`` is ``ava-detect boxes``: videos in, person boxes out.

An entry point like the ``ava-detect`` command itself, and so the one module here that knows the command line.
"""

import sys

from ava_detect.cli import main

if __name__ == "__main__":
    sys.exit(main(["boxes", *sys.argv[1:]]))
