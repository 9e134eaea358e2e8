"""`cxreason study serve`: the application behind uvicorn, and the links with which people come in."""

from __future__ import annotations

import logging
import sys
from pathlib import Path

from cxreason.study.app import Study, create_app, open_study
from cxreason.web import listen, server


def run(folder: Path, *, host: str, port: int, url: str | None = None, links: bool = False) -> None:
    """Serve a study until it is stopped.

    run(Path("runs/study"), host="127.0.0.1", port=8080)
    """
    study = open_study(folder, url)
    rehearse(study)
    application = server(create_app(study), "cxreason.study")
    # Not before all is ready: after a crash pages would wait at the open door instead of trying again.
    listening = listen(host, port)
    port = listening.getsockname()[1]
    logging.basicConfig(level=logging.WARNING)
    for line in welcome(study, f"http://{'localhost' if host == '0.0.0.0' else host}:{port}", links):
        sys.stderr.write(line + "\n")
    sys.stderr.flush()
    try:
        application.run(sockets=[listening])
    finally:
        study.store.database.close()


def rehearse(study: Study) -> None:
    """Do once what every page and save needs: after a crash all readers come back in the same moment."""
    study.templates.get_template("reading.html.jinja")
    study.accounts.who("")
    for reader in study.protocol.readers[:1]:
        study.store.rehearse(reader.name)


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
