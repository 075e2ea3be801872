"""What pip is set to use here: indexes, folders of files, certificates, proxy.

Read with ``pip config``, which knows all of pip's files and environment variables, in the order of pip's
documentation: environment before the ``[install]`` section before ``[global]``.
"""

import subprocess
import sys
from dataclasses import dataclass

DEFAULT_INDEX = "https://pypi.org/simple"  # what pip uses when nothing is set

_SECTIONS = (":env:", "install", "global")


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
    """Ask pip for its settings."""
    listed = run_pip("config", "list", capture=True).stdout
    known = {line.partition("=")[0] for line in listed.splitlines()}

    def setting(name: str) -> str:
        """Return the value with the highest precedence; "" when there is none."""
        for section in _SECTIONS:
            if f"{section}.{name}" in known:
                return run_pip("config", "get", f"{section}.{name}", capture=True).stdout.strip()
        return ""

    indexes = [setting("index-url") or DEFAULT_INDEX, *setting("extra-index-url").split()]
    if setting("no-index").lower() in ("1", "true", "yes", "on", "y", "t"):
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
