"""`cxreason study serve`: the application behind uvicorn, and the links with which people come in."""

from __future__ import annotations

import logging
import socket
import sys
from pathlib import Path

from cxreason.study.app import Study, create_app, open_study
from cxreason.study.protocol import StudyError


def run(folder: Path, *, host: str, port: int, url: str | None = None, links: bool = False) -> None:
    """Serve a study until it is stopped.

    run(Path("runs/study"), host="127.0.0.1", port=8080)
    """
    import uvicorn

    study = open_study(folder, url)
    listening = _listen(host, port)
    port = listening.getsockname()[1]
    logging.basicConfig(level=logging.WARNING)
    for line in welcome(study, f"http://{'localhost' if host == '0.0.0.0' else host}:{port}", links):
        sys.stderr.write(line + "\n")
    sys.stderr.flush()
    # No access log: one-time links are part of an address.
    settings = uvicorn.Config(
        create_app(study),
        log_level="warning",
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=5,
        timeout_keep_alive=30,
        h11_max_incomplete_event_size=65_536,
    )
    try:
        uvicorn.Server(settings).run(sockets=[listening])
    finally:
        study.store.database.close()


def welcome(study: Study, base: str, links: bool) -> list[str]:
    """What is printed at the start: where it runs, and one-time links for accounts without a password."""
    lines = [f"{study.protocol.title}: {base}  (Ctrl-C stops it, and nothing is lost)"]
    for account in study.accounts.all():
        if account["active"] and not account["joined"] and (links or account["role"] == "administrator"):
            lines.append(f"  {account['name']:16s} {base}/join/{study.accounts.make_link(account['name'])}")
    if len(lines) > 1:
        lines.append(
            "  Each link works once, for a week. Administrators make those of readers on their page."
        )
    return lines


def _listen(host: str, port: int) -> socket.socket:
    listening = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((host, port))
    except OSError as error:
        raise StudyError(
            f"{host}:{port}: cannot be listened on ({error.strerror}). Name another --port."
        ) from None
    return listening
