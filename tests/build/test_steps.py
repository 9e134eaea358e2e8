"""What the steps of a large build leave for each other: offers, told texts, files."""

import gc

import numpy as np
import pytest

from cxreason.build import BuildError
from cxreason.build.offers import gather
from cxreason.build.rows import Rows
from cxreason.build.shards import Shard
from cxreason.build.work import keep, kept, without_collection
from cxreason.columns import from_columns, from_table, to_columns
from cxreason.records import Box, Question, Sample, Study
from cxreason.tasks import TASKS, Dice, complete, draft, random_for

SAID = "The heart is large. There is a small left effusion, new since the prior study. The lungs are clear."


def study(number: int, **fields) -> Study:
    return Study(f"toy/{number}", "toy", f"p{number}", (f"{number}.png",), ("PA",), **fields)


def shard(*studies: Study) -> Shard:
    train = np.ones(len(studies), dtype=np.int8)
    return Shard.of(studies, train, train, seed=3)


def test_a_text_that_is_told_by_the_column_is_the_sample_that_is_drafted_alone():
    before = study(0, findings="The heart is large.")
    after = Study(
        **{**vars(study(1, findings=SAID, impression=SAID, indication="Cough.")), "patient_id": "p0"}
        | {"prior_id": before.id}
    )
    told = [task for task, way in TASKS.items() if way.told]
    known = shard(before, after)
    offers = dict(zip(told, gather(known, told, 3), strict=True))
    rows, expected = Rows(known.studies, known.priors()), set()
    for task, offered in offers.items():
        everything = np.arange(len(offered.queue))
        rows.tell(task, offered.place.tolist(), *offered.told(everything), 3)
        for place in sorted(set(offered.place.tolist())):
            one = known.studies[place]
            prior = before if place and TASKS[task].prior else None
            for topic in TASKS[task].topics(one):
                drawn = draft(one, prior, task, topic, random_for(one, task, topic, 3, Dice()))
                expected.add(repr(complete(drawn, one, prior, task)))
    (table,) = (table for _, table in rows.tables())
    assert len(expected) > 10
    assert set(map(repr, from_table(Sample, table))) == expected


def test_every_study_of_a_dataset_of_one_finding_is_asked_about():
    studies = [
        Study(f"rsna/{place}", "rsna", f"p{place}", ("1.png",), labels={"pneumonia": place % 2})
        for place in range(9)
    ]
    (offers,) = gather(shard(*studies), ["disease"], seed=3)
    assert sorted(offers.place.tolist()) == list(range(9))
    assert set(offers.value.rows(np.arange(9))) == {"yes", "no"}


def test_studies_come_back_from_columns_as_they_were():
    studies = [
        study(1, labels={"edema": 1}, boxes=(Box("edema", 0.1, 0.2, 0.3, 0.4),)),
        study(2, age=61.5),
        study(3, questions=(Question("Is there edema?", ("no",)), Question("Where?", options=("a", "b")))),
    ]
    assert from_columns(Study, to_columns(Study, studies)) == studies
    assert from_columns(Study, to_columns(Study, [])) == []


def test_a_file_that_a_power_cut_tore_is_named_with_what_to_do(tmp_path):
    file = tmp_path / "work" / "survey" / "1.pickle"
    keep(file, {"a": [1, 2]})
    assert kept(file) == {"a": [1, 2]}
    file.write_bytes(file.read_bytes()[:-3])
    with pytest.raises(BuildError, match=r"Remove .*work and build again"):
        kept(file)


def test_what_a_process_of_a_crew_remembers_is_not_looked_through_and_a_users_own_is_left_alone(monkeypatch):
    made = without_collection(lambda job: (gc.isenabled(), [job]))
    before = gc.get_freeze_count()
    try:
        assert made(1) == (False, [1])
        assert gc.isenabled()
        assert gc.get_freeze_count() == before, "a user's process collects as before"
        monkeypatch.setattr("multiprocessing.parent_process", object)
        assert made(1) == (False, [1])
        assert gc.isenabled()
        assert gc.get_freeze_count() > before
    finally:
        gc.unfreeze()
