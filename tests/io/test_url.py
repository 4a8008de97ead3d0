from __future__ import annotations

import copy
import pickle
from pathlib import Path

import pytest

from slidekit.errors import SlideOpenError
from slidekit.io.url import RemotePath, as_url, holds_secret, refuse_remote
from slidekit.slide.wsi import WSI

SIGNED = "https://user:pass@host.org:8443/cohort/S%2012.svs?X-Amz-Signature=abc#x"


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("s3://bucket/cohort/a.svs", "s3://bucket/cohort/a.svs"),
        ("S3://bucket/cohort/", "s3://bucket/cohort"),
        ("memory://a.svs", "memory://a.svs"),
        ("file:///data/a@b.svs", "file:///data/a@b.svs"),
        ("s3://KEY:secret@bucket/a#1.svs", "s3://bucket/a#1.svs"),
        ("https://token@host/a.svs", "https://host/a.svs"),
        ("abfs://container@account.dfs.core.windows.net/a.svs", "abfs://container@account.dfs.core.windows.net/a.svs"),
        ("abfs://user:key@account/a.svs", "abfs://account/a.svs"),
        ("gs://bucket/a.svs?X-Goog-Signature=abc", "gs://bucket/a.svs"),
        (SIGNED, "https://host.org:8443/cohort/S 12.svs"),
    ],
)
def test_what_is_shown_of_a_url(url: str, shown: str) -> None:
    path = RemotePath.of(url)

    assert str(path) == shown
    assert path.url == as_url(path) == url
    assert holds_secret(url) == any(word in url for word in ("secret", "token", "user:", "Signature"))


def test_a_remote_path_is_called_as_its_file_and_keeps_its_url() -> None:
    path = RemotePath.of(SIGNED)
    for same in (path, copy.deepcopy(path), pickle.loads(pickle.dumps(path))):
        assert (same.name, same.stem, same.suffix) == ("S 12.svs", "S 12", ".svs")
        assert (str(same.parent), same.url) == ("https://host.org:8443/cohort", SIGNED)
        assert same == path
        assert hash(same) == hash(path)
    for text in (str(path), repr(path), f"{path}", path.as_posix()):
        assert "pass" not in text
        assert "Signature" not in text
    assert not path.is_file()


@pytest.mark.parametrize("text", ["slides", "/data/a.svs", "C:/slides/a.svs", "a:b/c.svs", "s3:/bucket", "./x://y", ""])
def test_local_paths_are_no_urls(text: str) -> None:
    assert as_url(text) is None


@pytest.mark.parametrize("url", ["s3://bucket/a.svs", "file:///data/a.svs", "https://host/a.svs?s=1"])
def test_the_slash_that_pathlib_takes_is_put_back(url: str) -> None:
    assert as_url(Path(url)) == url


def test_a_local_folder_may_be_called_as_a_url_begins(tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("s3:/bucket").mkdir(parents=True)

    assert as_url(Path("s3:/bucket")) is None


def test_a_remote_slide_is_not_opened_in_place() -> None:
    with pytest.raises(SlideOpenError, match=r"^s3://bucket/a.svs: lies in a remote store, .* buffer=FOLDER"):
        WSI("s3://KEY:secret@bucket/a.svs", tile_px=256, tile_um=128)
    refuse_remote("a.svs")
