"""What pip is set to use here: indexes, folders of files, certificates, proxy.

``pip config debug`` tells which configuration files pip reads; ``pip config get`` would look into one of them
only. Precedence is pip's: environment variables before the ``[install]`` section before ``[global]``, and the
file of the virtual environment before the user's before the machine's.
"""

import configparser
import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

DEFAULT_INDEX = "https://pypi.org/simple"  # what pip uses when nothing is set

_KINDS = ("global", "user", "site", "env")  # of configuration files; later ones win
_SECTIONS = ("install", "global")
_TRUE = ("1", "true", "yes", "on", "y", "t")


@dataclass(frozen=True)
class PipSettings:
    """The settings that decide where a file comes from."""

    index_urls: tuple[str, ...] = (DEFAULT_INDEX,)
    find_links: tuple[str, ...] = ()
    trusted_hosts: tuple[str, ...] = ()
    certificate: str | None = None
    client_certificate: str | None = None
    proxy: str | None = None
    timeout_s: float = 15.0


def run_pip(*arguments: str, capture: bool = False) -> subprocess.CompletedProcess[str]:
    """Run this interpreter's pip; the caller looks at the return code."""
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", *arguments]
    return subprocess.run(command, check=False, text=True, capture_output=capture)


def read_pip_settings() -> PipSettings:
    """Read pip's environment variables and configuration files."""
    files = configparser.RawConfigParser()
    files.read(_config_files(run_pip("config", "debug", capture=True).stdout), encoding="utf-8")

    def setting(name: str) -> str:
        """Return the value with the highest precedence; "" when there is none."""
        if value := os.environ.get("PIP_" + name.upper().replace("-", "_")):
            return value
        for section in _SECTIONS:
            for spelling in (name, name.replace("-", "_")):
                if value := files.get(section, spelling, fallback=""):
                    return value
        return ""

    indexes = [setting("index-url") or DEFAULT_INDEX, *setting("extra-index-url").split()]
    if setting("no-index").lower() in _TRUE:
        indexes = []
    timeout = setting("timeout") or setting("default-timeout")
    return PipSettings(
        index_urls=tuple(indexes),
        find_links=tuple(setting("find-links").split()),
        trusted_hosts=tuple(setting("trusted-host").split()),
        certificate=setting("cert") or None,
        client_certificate=setting("client-cert") or None,
        proxy=setting("proxy") or None,
        timeout_s=float(timeout) if timeout.replace(".", "", 1).isdigit() else PipSettings.timeout_s,
    )


def _config_files(report: str) -> list[Path]:
    """Return the configuration files that pip reads, those that win last.

    Args:
        report: of ``pip config debug``: a line ``kind:``, then indented lines ``path, exists: True``.
    """
    found: dict[str, list[Path]] = {kind: [] for kind in _KINDS}
    kind = ""
    for line in report.splitlines():
        if heading := re.fullmatch(r"(\w+):", line):
            kind = heading[1]
        elif (entry := re.fullmatch(r"\s+(.+), exists: True", line)) and kind in found:
            found[kind].append(Path(entry[1]))
    return [path for kind in _KINDS for path in found[kind]]
