"""The audit: what is fair passes, and each defect of published test sets is caught when it is put back."""

from collections.abc import Callable
from dataclasses import replace
from random import Random

import numpy as np
import pytest
from PIL import Image

from cxreason.audit import audit, write_audit
from cxreason.records import Sample, to_row
from cxreason.rows import write_parquet
from cxreason.text.ontology import FINDINGS, NO_FINDING

LABELS = FINDINGS[:8]
COURSES = ("worsening", "stable", "improving")


def ask(number: int, split: str, options: list[str], truth: str, **more) -> Sample:
    fields = {"id": f"{split}{number}", "dataset": "made", "task": "binary", "kind": "choice"}
    fields |= {"patient_id": f"{split}-p{number // 2}", "study_id": f"{split}-s{number}", "split": split}
    fields |= {"images": (f"{split}-{number}.png",), "question": "Which?", "options": tuple(options)}
    return Sample(**{**fields, "answer": "ABCD"[options.index(truth)], **more})


def binary(number: int, split: str, rng: Random) -> Sample:
    """Yes and no in any order, each right equally often for each finding."""
    finding, truth = LABELS[number // 2 % len(LABELS)], ("Yes", "No")[number % 2]
    options = rng.sample(["Yes", "No"], 2)
    labels = {finding: int(truth == "Yes")}
    return ask(number, split, options, truth, subject=finding, question=f"Is there {finding}?", labels=labels)


def single(number: int, split: str, rng: Random) -> Sample:
    """One present finding among four, each equally often the truth and a distractor."""
    options = rng.sample(LABELS, 4)
    truth = rng.choice(options)
    labels = {one: int(one == truth) for one in LABELS}
    return ask(number, split, options, truth, task="single", labels=labels)


def multiple(number: int, split: str, rng: Random) -> Sample:
    """Four pairs, made by exchanging each half of the truth, all in the order of the ontology."""
    first, second, third, fourth = rng.sample(LABELS, 4)
    pairs = [{first, second}, {first, third}, {second, fourth}, {third, fourth}]
    options = [", ".join(sorted(pair, key=LABELS.index)) for pair in pairs]
    truth = options[0]
    labels = {one: int(one in pairs[0]) for one in LABELS}
    return ask(number, split, rng.sample(options, 4), truth, task="multiple", labels=labels)


def temporal(number: int, split: str, rng: Random) -> Sample:
    finding, truth = LABELS[number // 3 % len(LABELS)], COURSES[number % 3]
    return ask(number, split, rng.sample(COURSES, 3), truth, task="temporal", subject=finding)


def grounding(number: int, split: str, rng: Random) -> Sample:
    """A box for every second image, and none for the others."""
    box = f"<|ref|>edema<|/ref|><|box|>({number % 40},10),(60,{50 + number % 40})<|/box|>"
    answer = box if number % 2 else "No edema detected."
    one = ask(number, split, ["Yes", "No"], "Yes", task="grounding", question="Box any edema.")
    return replace(one, kind="boxes", options=(), answer=answer)


def findings(number: int, split: str, rng: Random) -> Sample:
    """A report on each image."""
    answer = f"A nodule of {number} mm lies in the upper lobe of the {rng.choice(['left', 'right'])} lung."
    one = ask(number, split, ["Yes", "No"], "Yes", task="findings", question="Write the findings.")
    return replace(one, kind="report", options=(), answer=answer)


def verdict(tmp_path, make: Callable, spoil: Callable | None = None, *, n: int = 300) -> list[str]:
    """The failures of an audit of fair questions, after `spoil` was let loose on each of them."""
    rng = Random(4)
    samples = [make(number, split, rng) for split in ("train", "test") for number in range(n)]
    if spoil:
        samples = [spoil(one, rng) for one in samples]
    write_parquet(tmp_path / "samples.parquet", Sample, map(to_row, samples))
    return audit([tmp_path / "samples.parquet"])["failures"]


def with_truth_at(one: Sample, place: int) -> Sample:
    rest = [option for option in one.options if option != one.options["ABCD".index(one.answer)]]
    rest.insert(place, one.options["ABCD".index(one.answer)])
    return replace(one, options=tuple(rest), answer="ABCD"[place])


def truth_first(one: Sample, rng: Random) -> Sample:
    return with_truth_at(one, 0)


def reworded(one: Sample, change: Callable[[str, bool], str]) -> Sample:
    gold = "ABCD".index(one.answer)
    options = tuple(change(option, place == gold) for place, option in enumerate(one.options))
    return replace(one, options=options, labels={})


def truth_longest(one: Sample, rng: Random) -> Sample:
    return reworded(one, lambda option, right: f"{option} is what is seen" if right else option)


def truth_in_canonical_order(one: Sample, rng: Random) -> Sample:
    """Distractors come from a set, in any order; the truth comes from the columns of a table."""

    def mixed(option: str, right: bool) -> str:
        parts = option.split(", ")
        return option if right else ", ".join(rng.sample(parts, len(parts)))

    return replace(reworded(one, mixed), labels=one.labels)


def mostly(words: str) -> Callable:
    """Makes the answer that the words name right in four of five samples."""

    def spoil(one: Sample, rng: Random) -> Sample:
        return replace(one, answer="ABCD"[one.options.index(words)]) if rng.random() < 0.7 else one

    return spoil


def yes_for_one_finding(one: Sample, rng: Random) -> Sample:
    """Each finding has its usual answer, while yes and no are as frequent as each other in all."""
    usual = ("Yes", "No")[LABELS.index(one.subject) % 2]
    return mostly(usual)(one, rng)


def words_that_tell(one: Sample, rng: Random) -> Sample:
    """No label, letter or length tells; the question does."""
    truth = one.options["ABCD".index(one.answer)]
    return replace(one, subject="", question=f"{one.question} {'Look' if truth == 'Yes' else 'See'} here")


def yes_always_first(one: Sample, rng: Random) -> Sample:
    truth = one.options["ABCD".index(one.answer)]
    return replace(one, options=("Yes", "No"), answer="AB"[("Yes", "No").index(truth)])


def courses_in_fixed_order(one: Sample, rng: Random) -> Sample:
    truth = one.options["ABCD".index(one.answer)]
    return replace(one, options=COURSES, answer="ABC"[COURSES.index(truth)])


def present_distractor(one: Sample, rng: Random) -> Sample:
    return replace(one, labels={**one.labels, one.options["ABCD".index(one.answer) - 1]: 1})


def uncertain_distractor(one: Sample, rng: Random) -> Sample:
    return replace(one, labels={**one.labels, one.options["ABCD".index(one.answer) - 1]: -1})


def uncertain_label_asked(one: Sample, rng: Random) -> Sample:
    return replace(one, labels={one.subject: -1})


def doubled_options(one: Sample, rng: Random) -> Sample:
    wrong = "ABCD".index(one.answer) - 1
    kept = one.options["ABCD".index(one.answer) - 2]
    return replace(
        one, options=tuple(kept if place == wrong % 4 else option for place, option in enumerate(one.options))
    )


def missing_counted_as_absent(one: Sample, rng: Random) -> Sample:
    """Whatever the report does not mention was offered as wrong."""
    truth = one.options["ABCD".index(one.answer)]
    return replace(one, labels=dict.fromkeys(truth.split(", "), 1))


def mostly_second(one: Sample, rng: Random) -> Sample:
    return with_truth_at(one, 1) if rng.random() < 0.5 else one


def collapsed_options(one: Sample, rng: Random) -> Sample:
    """Two distractors fell together and stand there once."""
    if rng.random() < 0.95:
        return one
    shorter = with_truth_at(one, 0)
    return replace(shorter, options=shorter.options[:3])


def distractors_that_only_differ(one: Sample, rng: Random) -> Sample:
    """Each distractor keeps half of the truth, so the truth shares most with the others."""
    truth = one.options["ABCD".index(one.answer)].split(", ")
    others = rng.sample([name for name in LABELS if name not in truth], 3)
    sets = [truth, [truth[0], others[0]], [truth[1], others[1]], [truth[0], others[2]]]
    options = [", ".join(sorted(names, key=LABELS.index)) for names in sets]
    told = rng.sample(options, 4)
    return replace(one, options=tuple(told), answer="ABCD"[told.index(options[0])], labels={})


def truth_named_in_question(one: Sample, rng: Random) -> Sample:
    return replace(one, question=f"{one.question} {one.options['ABCD'.index(one.answer)]} comes to mind.")


def reasoning_about_a_prior(one: Sample, rng: Random) -> Sample:
    return replace(one, reasoning="The left effusion has increased since the prior study.")


def mostly_nothing_to_box(one: Sample, rng: Random) -> Sample:
    return replace(one, answer="No edema detected.") if rng.random() < 0.6 else one


def report_about_a_prior(one: Sample, rng: Random) -> Sample:
    return replace(one, answer="Unchanged left effusion.")


def report_in_the_question(one: Sample, rng: Random) -> Sample:
    return replace(one, question=f"Here is the report: {one.answer} Write the findings.")


def one_label_too_often(one: Sample, rng: Random) -> Sample:
    """The truth is named atelectasis wherever the dice say so, as in a natural distribution."""
    if rng.random() < 0.5:
        return one
    truth = one.options["ABCD".index(one.answer)]
    swap = {truth: LABELS[0], LABELS[0]: truth}
    options = tuple(swap.get(option, option) for option in one.options)
    return replace(one, options=options, labels={LABELS[0]: 1} | dict.fromkeys(LABELS[1:], 0))


@pytest.mark.parametrize("make", [binary, single, multiple, temporal, grounding, findings])
def test_fair_questions_pass(tmp_path, make):
    assert verdict(tmp_path, make) == []


@pytest.mark.parametrize(
    ("make", "spoil", "said"),
    [
        (single, truth_first, "blind: single of made, evaluation: letter"),
        (single, truth_first, "balance: single of made, evaluation: letters"),
        (single, truth_longest, "option length"),
        (multiple, truth_in_canonical_order, "canonical order"),
        (binary, yes_for_one_finding, "label majority"),
        (binary, yes_for_one_finding, "answers to one finding"),
        (binary, words_that_tell, "bag of words"),
        (binary, yes_always_first, "order of options"),
        (temporal, courses_in_fixed_order, "order of options"),
        (temporal, mostly("worsening"), "label majority"),
        (single, one_label_too_often, "label majority"),
        (single, one_label_too_often, "balance: single of made, evaluation: labels"),
        (single, present_distractor, "a wrong option names a finding that is present"),
        (single, uncertain_distractor, "a wrong option names a finding that is uncertain"),
        (binary, uncertain_label_asked, "the finding that is asked about is uncertain"),
        (single, doubled_options, "two options say the same"),
        (single, missing_counted_as_absent, "uncertain, or that nobody judged"),
        (multiple, missing_counted_as_absent, "uncertain, or that nobody judged"),
        (single, mostly_second, "letter scores"),
        (multiple, collapsed_options, "there are fewer options than this kind of question has"),
        (multiple, distractors_that_only_differ, "shared words"),
        (single, truth_named_in_question, "words of the question"),
        (single, reasoning_about_a_prior, "speaks of an earlier one"),
        (findings, report_about_a_prior, "speaks of an earlier one"),
        (findings, report_in_the_question, "the question holds the whole answer"),
        (grounding, mostly_nothing_to_box, "a box or none"),
    ],
    ids=lambda value: getattr(value, "__name__", None),
)
def test_each_published_defect_is_caught_when_it_is_put_back(tmp_path, make, spoil, said):
    assert any(said in line for line in verdict(tmp_path, make, spoil))


def test_reasoning_about_two_examinations_may_compare_them(tmp_path):
    def compared(one: Sample, rng: Random) -> Sample:
        return replace(reasoning_about_a_prior(one, rng), prior_report="Small effusion.")

    assert verdict(tmp_path, temporal, compared) == []


def test_mined_labels_deny_no_finding_by_what_is_there(tmp_path):
    def with_no_finding(one: Sample, rng: Random) -> Sample:
        wrong = one.options["ABCD".index(one.answer) - 1]
        options = tuple(NO_FINDING if option == wrong else option for option in one.options)
        return replace(one, options=options)

    assert not [line for line in verdict(tmp_path, single, with_no_finding) if line.startswith("fault")]


@pytest.mark.parametrize(
    ("answer", "said"),
    [("", "the same is asked of the same images again ("), ("turned", "and another answer is right")],
)
def test_a_question_that_is_there_twice_is_found(tmp_path, answer, said):
    """As rows that a second run appended, or that two sources answer differently."""
    rng = Random(4)
    samples = [binary(number, "test", rng) for number in range(60)]
    again = replace(samples[0], id="again", options=samples[0].options[::-1])
    again = replace(again, answer="BA"["AB".index(samples[0].answer)] if not answer else samples[0].answer)
    write_parquet(tmp_path / "samples.parquet", Sample, map(to_row, [*samples, again]))
    (line,) = [line for line in audit([tmp_path / "samples.parquet"])["failures"] if "again" in line]
    assert said in line
    assert "1 of 61 samples" in line


REPORT = " ".join(f"Word{number}" for number in range(40))


@pytest.mark.parametrize(
    ("more", "kind"),
    [
        ({"patient_id": "train-p3"}, "patient"),
        ({"study_id": "train-s3"}, "study"),
        ({"images": ("train-3.png",)}, "image file"),
        ({"report": REPORT}, "report"),
        ({"dataset": "rsna", "groups": ("chestx-ray14/p7",)}, "patient"),
    ],
    ids=["patient", "study", "image", "report", "patient of two datasets"],
)
def test_who_stands_in_two_splits_is_found(tmp_path, more, kind):
    rng = Random(4)
    train = [binary(number, "train", rng) for number in range(40)]
    train[3] = replace(train[3], report=REPORT, groups=("chestx-ray14/p7",), patient_id="train-p3")
    test = [binary(number, "test", rng) for number in range(40)]
    test[5] = replace(test[5], **more)
    write_parquet(tmp_path / "samples.parquet", Sample, map(to_row, [*train, *test]))
    leaks = [line for line in audit([tmp_path / "samples.parquet"])["failures"] if line.startswith("leak")]
    assert len(leaks) == 1
    assert leaks[0].startswith("leak: 1 of ")
    assert f" {kind}s are in two splits" in leaks[0]
    assert "train" in leaks[0]
    assert "test" in leaks[0]


def test_an_image_is_known_again_by_its_pixels_whatever_its_file_is_called(tmp_path):
    rng = Random(4)
    samples = [binary(number, split, rng) for split in ("train", "test") for number in range(6)]
    for place, one in enumerate(samples):
        shade = 7 if one.id in ("train1", "test4") else 20 * place
        picture = Image.fromarray(np.full((4, 4), shade, dtype=np.uint8))
        picture.save(tmp_path / one.images[0])
    # The same pixels in other bytes, as when a set was made of another.
    Image.fromarray(np.full((4, 4), 7, dtype=np.uint8)).save(tmp_path / "copy.png", compress_level=0)
    samples[-2] = replace(samples[-2], images=("copy.png",))
    write_parquet(tmp_path / "samples.parquet", Sample, map(to_row, samples))
    (leak,) = audit([tmp_path / "samples.parquet"])["failures"]
    assert leak.startswith("leak: 1 of 11 images are in two splits")
    assert audit([tmp_path / "samples.parquet"], hash_images=False)["failures"] == []


def test_a_test_set_that_was_trained_on_is_found_although_its_splits_say_train(tmp_path):
    """As the validation of ReXVQA, and what MS-CXR-T has of test images."""
    rng = Random(4)
    for name, numbers in (("training", range(60)), ("benchmark", range(50, 90))):
        asked = [binary(number, "train", rng) for number in numbers]
        asked = [replace(one, images=(f"../images/{one.images[0]}",)) for one in asked]
        (tmp_path / name).mkdir()
        write_parquet(tmp_path / name / "samples.parquet", Sample, map(to_row, asked))
    training, benchmark = (tmp_path / name / "samples.parquet" for name in ("training", "benchmark"))
    leaks = [line for line in audit([training], [benchmark])["failures"] if line.startswith("leak")]
    assert [line.split()[4] for line in leaks] == ["patients", "studys", "image"]
    assert all("evaluation set benchmark" in line for line in leaks)


def test_a_list_that_is_always_given_is_measured(tmp_path):
    """Open questions have no chance: what a constant answer earns is told on the page."""
    truths = [("edema", "cardiomegaly"), ("edema",), ("edema", "fracture")] * 20
    samples = [
        replace(
            ask(n, "test", ["Yes", "No"], "Yes", task="anomaly"),
            kind="labels",
            options=(),
            answer=", ".join(truth),
        )
        for n, truth in enumerate(truths)
    ]
    write_parquet(tmp_path / "samples.parquet", Sample, map(to_row, samples))
    report = audit([tmp_path / "samples.parquet"])
    (row,) = report["constants"]
    assert row["list"] == ["edema"]
    assert row["f1"] == pytest.approx((2 / 3 + 1 + 2 / 3) / 3)
    page = write_audit(report, tmp_path).read_text(encoding="utf-8")
    assert "F1 of one list for all" in page
