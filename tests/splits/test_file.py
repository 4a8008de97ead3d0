"""`splits.json`: readable, used again, never overwritten; Slideflow's too."""

from __future__ import annotations

import json
import threading

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from slidekit.errors import DatasetError
from slidekit.io.lock import take_lock
from slidekit.splits import file as module
from slidekit.splits.drawing import Split
from slidekit.splits.entries import SplitRequest, find_splits, make_entry
from slidekit.splits.file import read_entries, write_entries
from slidekit.splits.patients import Patient
from slidekit.splits.settling import draw_splits, settle_splits

PATIENTS = [
    Patient(f"p{number}", (f"s{number}", f"t{number}"), "xy"[number % 2], "ABC"[number % 3]) for number in range(12)
]
REQUESTS = [
    SplitRequest("fixed", fraction=0.25, labels="category"),
    SplitRequest("bootstrap", seed=3),
    SplitRequest("k-fold", k=3, labels=("a", "b")),
    SplitRequest("k-fold-preserved-site", k=3),
]


@pytest.fixture
def path(tmp_path):
    return tmp_path / "splits.json"


def theirs(strategy, sides, labels=None):
    """An entry as Slideflow writes it: slides, and numbers for classes."""
    labels = labels or {one.name: {"x": 1, "y": 0}[one.label] for one in PATIENTS}
    slides = {one.name: list(one.slides) for one in PATIENTS}
    return {
        "strategy": strategy,
        "patients": {name: {"outcome_label": labels[name], "slides": slides[name]} for name in slides},
        "tfrecords": {side: [slide for name in names for slide in slides[name]] for side, names in sides.items()},
    }


class TestFile:
    def test_it_is_for_people(self, path):
        settle_splits(PATIENTS[:4], SplitRequest("fixed", fraction=0.5, labels="category"), path=path)
        text = path.read_text()
        assert '"p0": {"label": "x", "site": "A", "slides": ["s0", "t0"]}' in text
        [entry] = json.loads(text)
        assert (entry["strategy"], entry["seed"], entry["labels"], entry["val_fraction"]) == (
            "fixed", 0, "category", 0.5
        )  # fmt: skip
        assert sorted(entry["training"] + entry["validation"]) == ["p0", "p1", "p2", "p3"]

    def test_folds_say_who_validates(self, path):
        settle_splits(PATIENTS, SplitRequest("k-fold", k=3), path=path)
        [entry] = json.loads(path.read_text())
        assert entry["note"] == "Each fold validates once, while all other patients train."
        assert sorted(name for fold in entry["folds"] for name in fold["validation"]) == sorted(
            one.name for one in PATIENTS
        )

    @pytest.mark.parametrize("request_", REQUESTS)
    def test_it_is_used_again_and_added_to(self, path, request_):
        for other in REQUESTS:
            settle_splits(PATIENTS, other, path=path)
        before = path.read_bytes()
        assert settle_splits(PATIENTS, request_, path=path) == draw_splits(PATIENTS, request_)
        assert path.read_bytes() == before
        assert len(json.loads(before)) == 4

    @pytest.mark.parametrize(
        ("request_", "patients"),
        [
            (SplitRequest("fixed", seed=1, fraction=0.25), PATIENTS),
            (SplitRequest("fixed", fraction=0.5), PATIENTS),
            (SplitRequest("fixed", fraction=0.25), PATIENTS[1:]),
            (SplitRequest("fixed", fraction=0.25), [Patient(one.name, one.slides, "x") for one in PATIENTS]),
            (SplitRequest("k-fold", k=4), PATIENTS),
        ],
    )
    def test_what_differs_is_a_split_of_its_own(self, path, request_, patients):
        settle_splits(PATIENTS, SplitRequest("fixed", fraction=0.25), path=path)
        first = json.loads(path.read_text())
        settle_splits(PATIENTS, SplitRequest("k-fold", k=3), path=path)
        settle_splits(patients, request_, path=path)
        assert len(json.loads(path.read_text())) == 3
        assert json.loads(path.read_text())[:1] == first

    def test_read_only(self, path):
        request = SplitRequest("fixed", fraction=0.25)
        assert settle_splits(PATIENTS, request, path=path, read_only=True) == draw_splits(PATIENTS, request)
        assert not path.exists()

    def test_an_edited_split_is_used_as_it_was_edited(self, path):
        request = SplitRequest("fixed", fraction=0.25)
        settle_splits(PATIENTS, request, path=path)
        [entry] = json.loads(path.read_text())
        names = [one.name for one in PATIENTS]
        path.write_text(json.dumps([entry | {"training": names[:6], "validation": names[6:]}]))
        assert settle_splits(PATIENTS, request, path=path) == (
            Split(tuple(sorted(names[:6])), tuple(sorted(names[6:]))),
        )

    @pytest.mark.parametrize(
        ("change", "words"),
        [
            ({"training": [one.name for one in PATIENTS]}, "entry 1 has patient 'p[0-9]+' on both sides"),
            ({"training": []}, "on neither side"),
            ({"validation": ["stranger"]}, "'p[0-9]+' on neither side"),
            ({"training": ["stranger", *(one.name for one in PATIENTS)], "validation": []}, "'stranger' on a side"),
            ({"training": [one.name for one in PATIENTS], "validation": []}, "no patient for validation"),
        ],
    )
    def test_an_edited_split_that_leaks_is_an_error(self, path, change, words):
        request = SplitRequest("fixed", fraction=0.25)
        settle_splits(PATIENTS, request, path=path)
        [entry] = json.loads(path.read_text())
        path.write_text(json.dumps([entry | change]))
        with pytest.raises(DatasetError, match=words) as error:
            settle_splits(PATIENTS, request, path=path)
        assert error.value.path == path

    def test_a_patient_in_two_folds(self, path):
        request = SplitRequest("k-fold", k=3)
        settle_splits(PATIENTS, request, path=path)
        [entry] = json.loads(path.read_text())
        entry["folds"][0]["validation"].append(entry["folds"][1]["validation"][0])
        path.write_text(json.dumps([entry]))
        with pytest.raises(DatasetError, match="in two folds"):
            settle_splits(PATIENTS, request, path=path)

    @pytest.mark.parametrize(
        ("content", "words"), [(b"{}", "no list"), (b"[3]", "no list"), (b"[", "not JSON"), (b"\xff", "not UTF-8")]
    )
    def test_damaged_files(self, path, content, words):
        path.write_bytes(content)
        with pytest.raises(DatasetError, match=words):
            settle_splits(PATIENTS, REQUESTS[0], path=path)
        assert path.read_bytes() == content

    @given(
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.text(max_size=30),
            lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(max_size=5), inner, max_size=5),
            max_leaves=20,
        )
    )
    @settings(deadline=None, max_examples=25)
    def test_what_others_wrote_stays(self, tmp_path_factory, content):
        path = tmp_path_factory.mktemp("splits") / "splits.json"
        write_entries(path, [{"theirs": content}])
        assert read_entries(path) == [{"theirs": content}]
        assert find_splits(read_entries(path), REQUESTS[0], PATIENTS, path) is None

    def test_jobs_at_the_same_time_get_the_same(self, path):
        found, barrier = [], threading.Barrier(4)

        def ask():
            barrier.wait()
            found.append(settle_splits(PATIENTS, REQUESTS[0], path=path))

        threads = [threading.Thread(target=ask) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

        assert found == [draw_splits(PATIENTS, REQUESTS[0])] * 4
        assert len(read_entries(path)) == 1
        assert [one.name for one in path.parent.iterdir()] == ["splits.json"]

    def test_a_lock_that_is_not_given_back(self, path, monkeypatch):
        monkeypatch.setattr(module, "_SECONDS", 0.3)
        with take_lock(path.with_name("splits.json.lock")), pytest.raises(DatasetError, match="held by another run"):
            settle_splits(PATIENTS, REQUESTS[0], path=path)

    def test_a_folder_that_cannot_be_made(self, tmp_path):
        (tmp_path / "file").touch()
        with pytest.raises(DatasetError, match=r"cannot be written.*read_only=True"):
            settle_splits(PATIENTS, REQUESTS[0], path=tmp_path / "file" / "splits.json")


class TestSlideflow:
    NAMES = tuple(one.name for one in PATIENTS)

    def test_two_sides(self, path):
        sides = {"training": self.NAMES[3:], "validation": self.NAMES[:3]}
        path.write_text(json.dumps([theirs("fixed", sides)]))
        [split] = settle_splits(PATIENTS, SplitRequest("fixed", fraction=0.2), path=path)
        assert split == Split(tuple(sorted(self.NAMES[3:])), tuple(sorted(self.NAMES[:3])))
        assert len(read_entries(path)) == 1

    def test_its_share_is_told_by_its_sides(self, path):
        sides = {"training": self.NAMES[1:], "validation": self.NAMES[:1]}
        path.write_text(json.dumps([theirs("fixed", sides)]))
        [split] = settle_splits(PATIENTS, SplitRequest("fixed", fraction=0.5), path=path)
        assert len(split.validation) == 6
        [theirs_] = settle_splits(PATIENTS, SplitRequest("fixed", fraction=0.2), path=path)
        assert theirs_.validation == ("p0",)

    def test_folds(self, path):
        sides = {f"k-fold-{number + 1}": self.NAMES[number::3] for number in range(3)}
        path.write_text(json.dumps([theirs("k-fold", sides)]))
        splits = settle_splits(PATIENTS, SplitRequest("k-fold", k=3), path=path)
        assert [set(split.validation) for split in splits] == [set(self.NAMES[number::3]) for number in range(3)]
        assert all(len(split.training) == 8 for split in splits)

    @pytest.mark.parametrize("drop", ["k", "seed", "labels", "strategy"])
    def test_others_are_passed_over(self, path, drop):
        sides = {f"k-fold-{number + 1}": self.NAMES[number::3] for number in range(3)}
        labels = dict.fromkeys(self.NAMES, 0) if drop == "labels" else None
        path.write_text(json.dumps([theirs("fixed" if drop == "strategy" else "k-fold", sides, labels)]))
        request = SplitRequest("k-fold", seed=int(drop == "seed"), k=4 if drop == "k" else 3)
        assert settle_splits(PATIENTS, request, path=path) == draw_splits(PATIENTS, request)
        assert len(read_entries(path)) == 2

    def test_a_leak_is_an_error(self, path):
        path.write_text(json.dumps([theirs("fixed", {"training": self.NAMES, "validation": self.NAMES[:3]})]))
        with pytest.raises(DatasetError, match="on both sides"):
            settle_splits(PATIENTS, SplitRequest("fixed", fraction=0.2), path=path)

    def test_sites_that_are_torn_apart_are_passed_over(self, path):
        by_site = {f"k-fold-{number + 1}": self.NAMES[number::3] for number in range(3)}
        torn = {f"k-fold-{number + 1}": self.NAMES[number * 4 : number * 4 + 4] for number in range(3)}
        request = SplitRequest("k-fold-preserved-site", k=3)
        path.write_text(json.dumps([theirs(request.strategy, torn), theirs(request.strategy, by_site)]))
        splits = settle_splits(PATIENTS, request, path=path)
        assert [set(split.validation) for split in splits] == [set(names) for names in by_site.values()]

    @pytest.mark.parametrize("label", [[[1]], {"a": 1}, None, 2.5])
    def test_labels_of_any_kind(self, path, label):
        sides = {"training": self.NAMES[:9], "validation": self.NAMES[9:]}
        path.write_text(json.dumps([theirs("fixed", sides, dict.fromkeys(self.NAMES, label))]))
        one_class = [Patient(one.name, one.slides) for one in PATIENTS]
        [split] = settle_splits(one_class, SplitRequest("fixed", fraction=0.2), path=path)
        assert split.validation == tuple(sorted(self.NAMES[9:]))

    def test_an_entry_of_ours_beside_it(self, path):
        path.write_text(json.dumps([theirs("fixed", {"training": self.NAMES[:9], "validation": self.NAMES[9:]})]))
        before = read_entries(path)
        request = SplitRequest("bootstrap")
        settle_splits(PATIENTS, request, path=path)
        assert read_entries(path) == [
            *before,
            json.loads(json.dumps(make_entry(request, PATIENTS, draw_splits(PATIENTS, request)))),
        ]
