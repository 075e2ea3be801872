"""``ava-detect doctor``: is this machine fit?"""

import argparse
import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ava_detect.engine.doctor import Finding

EXIT_FAULTS = 3


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.description = "Say what is installed, what will be used, what is missing and the line to type."
    parser.epilog = "It installs nothing and opens no connection. Exit code 3 when something is missing."
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda, cuda:N, mps (default: auto)")
    parser.add_argument("--no-run", action="store_true", help="do not try a small network")
    parser.add_argument("--json", action="store_true", help="the report as JSON")


def run(args: argparse.Namespace) -> int:
    """Print the report as it is made."""
    from ava_detect.engine.doctor import as_json, count_missing, diagnose

    findings: list[Finding] = []
    for finding in diagnose(device=args.device, small_run=not args.no_run):
        findings.append(finding)
        if not args.json:
            _print(finding)
    missing = count_missing(findings)
    if args.json:
        print(json.dumps(as_json(findings), indent=2))
    elif missing:
        print(f"{missing} {'thing needs' if missing == 1 else 'things need'} a hand")
    return EXIT_FAULTS if missing else 0


def _print(finding: "Finding") -> None:
    print(f"{finding.subject:<42} {finding.state:<8} {finding.detail}".rstrip(), flush=True)
    for line in finding.hint.splitlines():
        print(f"{'':<42} {'':<8} {line}", flush=True)
