"""``tf.train.Example`` by the protobuf runtime alone, so that no worker needs TensorFlow.

The message is declared here from its public definition (tensorflow/core/example/example.proto) in a descriptor pool
of its own, which leaves TensorFlow's alone when both are in one process.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message, message_factory

from slidekit.errors import RecordError

__all__ = ["decode_example", "encode_example"]

_Field = descriptor_pb2.FieldDescriptorProto


@lru_cache(maxsize=1)
def _example_class() -> Any:
    file = descriptor_pb2.FileDescriptorProto(name="slidekit_example.proto", package="tensorflow", syntax="proto3")

    def add(name: str, *fields: tuple[str, int, int, int, str]) -> descriptor_pb2.DescriptorProto:
        declared = file.message_type.add(name=name)
        for field, number, kind, label, type_name in fields:
            declared.field.add(name=field, number=number, type=kind, label=label, type_name=type_name or None)
        return declared

    one, many = _Field.LABEL_OPTIONAL, _Field.LABEL_REPEATED
    add("BytesList", ("value", 1, _Field.TYPE_BYTES, many, ""))
    add("FloatList", ("value", 1, _Field.TYPE_FLOAT, many, ""))
    add("Int64List", ("value", 1, _Field.TYPE_INT64, many, ""))
    feature = add(
        "Feature",
        ("bytes_list", 1, _Field.TYPE_MESSAGE, one, ".tensorflow.BytesList"),
        ("float_list", 2, _Field.TYPE_MESSAGE, one, ".tensorflow.FloatList"),
        ("int64_list", 3, _Field.TYPE_MESSAGE, one, ".tensorflow.Int64List"),
    )
    feature.oneof_decl.add(name="kind")
    for field in feature.field:
        field.oneof_index = 0
    features = add("Features", ("feature", 1, _Field.TYPE_MESSAGE, many, ".tensorflow.Features.FeatureEntry"))
    entry = features.nested_type.add(name="FeatureEntry")
    entry.field.add(name="key", number=1, type=_Field.TYPE_STRING, label=one)
    entry.field.add(name="value", number=2, type=_Field.TYPE_MESSAGE, label=one, type_name=".tensorflow.Feature")
    entry.options.map_entry = True
    add("Example", ("features", 1, _Field.TYPE_MESSAGE, one, ".tensorflow.Features"))
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("tensorflow.Example"))


def encode_example(features: Mapping[str, bytes | int]) -> bytes:
    """Serialise features of one value each; equal features give equal bytes.

    Parameters
    ----------
    features
        Bytes go to a ``bytes_list``, integers to an ``int64_list``.
    """
    example = _example_class()()
    for name, value in features.items():
        feature = example.features.feature[name]
        if isinstance(value, bytes):
            feature.bytes_list.value.append(value)
        else:
            feature.int64_list.value.append(int(value))
    return bytes(example.SerializeToString(deterministic=True))


def decode_example(payload: bytes, *, path: Path | None = None) -> dict[str, bytes | int]:
    """Read the first value of each bytes and integer feature; others are passed over.

    Parameters
    ----------
    payload
        A serialised Example.
    path
        The file, for messages.

    Raises
    ------
    RecordError
        If the payload is not an Example.
    """
    try:
        example = _example_class().FromString(payload)
    except message.DecodeError as error:
        raise RecordError(
            "a record is not a tf.train.Example.",
            mend="Give TFRecords of tiles, Slideflow's or slidekit's; or extract the slide again.",
            path=path,
        ) from error
    features: dict[str, bytes | int] = {}
    for name, feature in example.features.feature.items():
        values = feature.bytes_list.value or feature.int64_list.value
        if values:
            features[name] = values[0]
    return features
