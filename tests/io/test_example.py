"""``tf.train.Example`` without TensorFlow, and against it."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from slidekit.errors import RecordError
from slidekit.io.example import decode_example, encode_example

INT64 = st.integers(-(2**63), 2**63 - 1)
features_of_one_value = st.dictionaries(st.text(max_size=12), st.one_of(st.binary(max_size=40), INT64), max_size=8)

BY_HAND = {
    "slide": "胃癌-é".encode(),
    "image_raw": bytes(range(256)),
    "loc_x": -3,
    "loc_y": 2**40,
    "grid_x": 0,
    "": b"",
}


@given(features_of_one_value)
@settings(deadline=None)
def test_round_trip(features: dict[str, bytes | int]) -> None:
    assert decode_example(encode_example(features)) == features


@given(features_of_one_value)
@settings(deadline=None)
def test_equal_features_give_equal_bytes(features: dict[str, bytes | int]) -> None:
    backwards = dict(reversed(features.items()))
    assert encode_example(backwards) == encode_example(features)


def test_the_bytes_are_those_of_the_specification() -> None:
    # Example{features{feature{key: "a" value{int64_list{value: 5}}}}}: field tags and lengths by hand
    feature = b"\x1a\x03\x0a\x01\x05"
    entry = b"\x0a\x01a" + b"\x12" + bytes([len(feature)]) + feature
    features = b"\x0a" + bytes([len(entry)]) + entry
    assert encode_example({"a": 5}) == b"\x0a" + bytes([len(features)]) + features


@pytest.mark.parametrize("payload", [b"\xff\xff\xff", b"\x0a\x05ab", b"\x0a\x03\x0a\x01\xff"])
def test_what_is_no_example_is_an_error(payload: bytes, tmp_path) -> None:
    with pytest.raises(RecordError, match=r"not a tf\.train\.Example") as caught:
        decode_example(payload, path=tmp_path / "a.tfrecords")
    assert caught.value.path == tmp_path / "a.tfrecords"


def test_an_integer_that_does_not_fit_is_refused() -> None:
    with pytest.raises(ValueError, match="range"):
        encode_example({"a": 2**63})


@pytest.mark.tensorflow
class TestAgainstTensorFlow:
    @pytest.fixture(scope="class")
    @classmethod
    def tf(cls):
        return pytest.importorskip("tensorflow", reason="TensorFlow is not installed")

    @staticmethod
    def example_of(tf, features):
        example = tf.train.Example()
        for name, value in features.items():
            if isinstance(value, bytes):
                example.features.feature[name].bytes_list.value.append(value)
            else:
                example.features.feature[name].int64_list.value.append(value)
        return example

    def test_bytes_equal_its_deterministic_serialisation(self, tf) -> None:
        example = self.example_of(tf, BY_HAND)
        assert encode_example(BY_HAND) == example.SerializeToString(deterministic=True)

    def test_it_reads_what_we_write(self, tf) -> None:
        example = tf.train.Example.FromString(encode_example(BY_HAND))
        assert example == self.example_of(tf, BY_HAND)

    def test_we_read_what_it_writes_and_pass_over_floats_and_empty_lists(self, tf) -> None:
        example = self.example_of(tf, BY_HAND)
        example.features.feature["floats"].float_list.value.extend([1.5, 2.5])
        example.features.feature["none"].int64_list.SetInParent()
        example.features.feature["two"].int64_list.value.extend([7, 8])
        assert decode_example(example.SerializeToString()) == {**BY_HAND, "two": 7}
