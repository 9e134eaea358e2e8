"""The same records on PostgreSQL, where there is one: once, never overwritten, never changed."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import threading
import uuid
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from study_folder import Client, event, write_study

from cxreason.study.app import open_study
from cxreason.study.store import Event

PROGRAMS = sorted(Path("/usr/lib/postgresql").glob("*/bin"))


def program(name: str) -> str | None:
    return shutil.which(name) or next((str(path / name) for path in PROGRAMS if (path / name).exists()), None)


@pytest.fixture(scope="module")
def url():
    """CXREASON_TEST_POSTGRES, or a server of our own in a folder; skipped where there is none."""
    if "CXREASON_TEST_POSTGRES" in os.environ:
        yield os.environ["CXREASON_TEST_POSTGRES"]
        return
    pytest.importorskip("psycopg")
    initdb, pg_ctl = program("initdb"), program("pg_ctl")
    if initdb is None or pg_ctl is None:
        pytest.skip("there is no PostgreSQL here")
    # PostgreSQL refuses to run as root; most machines that have it have its user, who may not enter the
    # folders of pytest. And the path of a socket has to be short.
    folder = Path(tempfile.mkdtemp(prefix="cxreason-"))
    who: dict = {}
    if os.geteuid() == 0:
        try:
            who = {"user": "postgres"}
            shutil.chown(folder, "postgres")
        except LookupError:
            shutil.rmtree(folder)
            pytest.skip("PostgreSQL does not run as root, and there is no user postgres")
    data = str(folder / "data")
    subprocess.run(
        [initdb, "-D", data, "-A", "trust", "-U", "study", "--no-sync"],
        check=True,
        capture_output=True,
        **who,
    )
    settings = f"-k {folder} -c listen_addresses='' -c fsync=off"
    start = [pg_ctl, "-D", data, "-o", settings, "-w", "-t", "300", "-l", str(folder / "log"), "start"]
    subprocess.run(start, check=True, stdout=subprocess.DEVNULL, **who)
    yield f"postgresql+psycopg://study@/postgres?host={folder}"
    stop = [pg_ctl, "-D", data, "-m", "immediate", "stop"]
    subprocess.run(stop, check=True, stdout=subprocess.DEVNULL, **who)
    shutil.rmtree(folder)


@pytest.fixture(scope="module")
def study(url, tmp_path_factory):
    return open_study(write_study(tmp_path_factory.mktemp("study")), url)


def test_a_reading_goes_through_and_is_recorded_once(study):
    client = Client(study).enter("r1")
    page, one = client.open(), event("save", 1, step="report", text="Clear.")
    statuses = [client.tell(page, one).json()["acks"][0]["status"] for _ in range(2)]
    assert statuses == ["stored", "known"]
    other = client.open()
    late = client.tell(other, event("save", 1, step="report", text="Other.")).json()
    assert late["acks"][0]["status"] == "aside"
    assert late["state"]["report"]["text"] == "Clear."
    client.finish(client.open(), "Done.")
    assert study.store.readings_of("r1")[0]["done"]


def test_records_cannot_be_changed_or_removed(study):
    for table in ("events", "audit"):
        for statement in (f"UPDATE {table} SET at = 'x'", f"DELETE FROM {table}", f"TRUNCATE {table}"):
            with pytest.raises(DBAPIError, match="append-only"), study.store.database.writing() as connection:
                connection.execute(text(statement))


def test_two_windows_that_write_in_the_same_moment_do_not_both_stand(study):
    id = study.store.readings_of("r2")[0]["id"]
    pages = [study.store.serve(id) for _ in range(6)]
    acks = []

    def write(page: str) -> None:
        said = {"step": "report", "text": page, "base": 0}
        acks.append(study.store.record(id, page, [Event(str(uuid.uuid4()), "submit", 1.0, said)])[0].status)

    threads = [threading.Thread(target=write, args=(page,)) for page in pages]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(acks) == ["closed"] * 5 + ["stored"]


def test_a_second_start_finds_everything(study, url):
    again = open_study(study.folder, url)
    assert again.store.readings_of("r1") == study.store.readings_of("r1")


def test_a_link_that_is_used_twice_in_one_moment_works_once(study):
    for _ in range(5):
        token = study.accounts.make_link("r2")
        together = threading.Barrier(6)
        names = []

        def use(token: str = token, together: threading.Barrier = together, names: list = names) -> None:
            together.wait()
            names.append(study.accounts.use_link(token, "a password of some length"))

        threads = [threading.Thread(target=use) for _ in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(names, key=str) == [None] * 5 + ["r2"]


def test_a_character_that_postgresql_does_not_take_does_no_harm(study):
    client = Client(study).enter("a1")
    page = client.open()
    values = {"preference": "A", "comment": "\0"}
    for number in (1, 2):
        said = event("save", number, step="answers", values=values, base=page["state"]["answers"]["base"])
        page["state"] = client.tell(page, said).json()["state"]
    assert page["state"]["answers"]["values"]["preference"] == "A"
    assert client.get("/read/%00").status_code == 404
    assert Client(study).log_in("r\0", "x").status_code == 401
