"""MediaCollection: how files become segments, what is passed over, what comes out."""

import os
import shutil
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("av", reason="sound and video need the extra `media`")

from langchain_chroma_hybrid.errors import InvalidArgumentError
from langchain_chroma_hybrid.multimodal import (
    ImageCollection,
    MediaCollection,
    MediaRetriever,
    Segment,
    Segmentation,
)
from langchain_chroma_hybrid.testing import WordEmbeddings
from tests import recordings
from tests.helpers import fresh_name
from tests.unit import colours

SAID = ((1.0, 2.0, "Here we go"), (5.0, 7.0, "The tomato is in the garden"), (9.0, 10.0, "The sea"))


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A video of three colours with low, high and no sound; two sounds; a picture."""
    folder = tmp_path_factory.mktemp("media")
    sound = np.concatenate([recordings.tone(name) for name in ("low", "high", "silence")])
    recordings.save_video(folder / "clip.mp4", "red", "green", "blue", sounds=[sound])
    recordings.save_sound(folder / "sub/tones.mp3", "low", "silence", "middle", seconds=5)
    recordings.save_sound(folder / "high.wav", "high")
    colours.save(folder, "yellow.png")
    return folder


@pytest.fixture
def folder(made, tmp_path):
    return shutil.copytree(made, tmp_path / "media")


class Counting:
    """The joint functions, with the number of images and sounds that they were asked for."""

    def __init__(self):
        self.images = self.sounds = 0
        joint = recordings.embeddings()
        self._image, self._sound = joint._images._function, joint._sounds._function
        self.embeddings = recordings.embeddings(image_fn=self.image, audio_fn=self.sound)

    def image(self, given):
        self.images += len(given)
        return self._image(given)

    def sound(self, given):
        self.sounds += len(given)
        return self._sound(given)

    @property
    def counts(self):
        return self.images, self.sounds


@pytest.fixture
def count():
    return Counting()


@pytest.fixture
def archive(count):
    made = MediaCollection.open(fresh_name(), count.embeddings)
    yield made
    made.store.delete_collection()


def stored(collection):
    """Metadata and text by `file#t=...`."""
    found = collection.store.get(include=["metadatas", "documents"])
    rows = zip(found["ids"], found["documents"], found["metadatas"], strict=True)
    return {
        Path(id_).name if "#" in id_ else facts["file_name"]: (text, facts)
        for id_, text, facts in rows
    }


def names(documents):
    return [document.metadata["file_name"] for document in documents]


def test_a_video_is_cut_into_scenes_and_a_sound_into_windows(archive, folder):
    report = archive.sync(folder)
    assert (report.failed, report.damaged) == ((), ())
    assert {Path(id_).name for id_ in report.added} >= {"clip.mp4", "tones.mp3", "high.wav"}
    found = stored(archive)
    assert sorted(found) == [
        "clip.mp4#t=0.0,4.0", "clip.mp4#t=4.0,8.0", "clip.mp4#t=8.0,12.0", "high.wav#t=0.0,4.0",
        "tones.mp3#t=0.0,10.0", "tones.mp3#t=9.0,15.0", "yellow.png",
    ]  # fmt: skip
    _, facts = found["clip.mp4#t=4.0,8.0"]
    assert (facts["kind"], facts["width"], facts["height"]) == ("video", 64, 48)
    assert (facts["start"], facts["end"], facts["part"]) == (4.0, 8.0, 1)
    assert facts["uri"] == facts["media"] == str(folder / "clip.mp4")
    assert facts["size"] == (folder / "clip.mp4").stat().st_size
    assert found["high.wav#t=0.0,4.0"][1]["kind"] == "audio"
    assert "media" not in found["yellow.png"][1]


def test_a_picture_has_the_id_and_the_vector_that_it_has_among_pictures(archive, folder):
    archive.sync(folder)
    alone = ImageCollection.open(fresh_name(), archive.embeddings)
    (id_,) = alone.sync(folder).added
    assert id_ in archive.store.get()["ids"]
    both = [each.store.get([id_], include=["embeddings", "metadatas"]) for each in (archive, alone)]
    assert np.array_equal(both[0]["embeddings"], both[1]["embeddings"])
    assert both[0]["metadatas"] == both[1]["metadatas"]
    alone.store.delete_collection()


def test_words_pictures_and_sounds_find_their_second(archive, folder):
    recordings.subtitles(folder / "clip.srt", *SAID)
    archive.sync(folder)
    (best,) = archive.search("tomato garden", k=1)
    assert (best.metadata["start"], best.metadata["end"]) == (4.0, 8.0)
    assert best.page_content == "The tomato is in the garden"
    (best,) = archive.search(image=colours.picture("blue"), k=1, filter={"kind": "video"})
    assert best.metadata["start"] == 8.0
    (best,) = archive.search(audio=(recordings.tone("middle"), recordings.RATE), k=1)
    assert (best.metadata["file_name"], best.metadata["start"]) == ("tones.mp3", 9.0)
    assert names(archive.search("high", mode="vector", k=1)) == ["high.wav"]
    assert names(archive.search("yellow", mode="vector", k=1)) == ["yellow.png"]


def test_each_leg_has_its_say(archive, folder):
    """Said over one colour, and shown in another: weights decide."""
    recordings.subtitles(folder / "clip.srt", (9.0, 10.0, "red"))
    archive.sync(folder, patterns=["*.mp4"])
    shown = archive.search("red", k=1, weights=(0.1, 0.9))
    said = archive.search("red", k=1, weights=(0.9, 0.1))
    assert (shown[0].metadata["start"], said[0].metadata["start"]) == (0.0, 8.0)
    hits = archive.explain("red", k=3).hits
    assert {leg.name for leg in hits[0].legs} == {"lexical", "vector"}


def test_the_second_is_that_of_the_word(archive, folder):
    said = "Nothing of note " * 4 + "tomato " + "and nothing more " * 3
    recordings.subtitles(folder / "clip.srt", (0.0, 1.0, "Hello"), (4.0, 8.0, said))
    archive.sync(folder)
    (best, *_) = archive.as_retriever().moments("tomato")
    place = said.index("tomato") / len(said.strip())
    assert best.moments[0].at == pytest.approx(4.0 + 4.0 * place, abs=0.2)


@pytest.mark.parametrize(("asked", "heard"), [("cellar", "seller"), ("ladybird", "lady bird")])
def test_what_was_heard_as_another_word(archive, folder, asked, heard):
    said = "Nothing of note " * 4 + heard + " and nothing more " * 3
    recordings.subtitles(folder / "clip.srt", (0.0, 1.0, "Hello"), (4.0, 8.0, said))
    archive.sync(folder)
    second = pytest.approx(4.0 + 4.0 * said.index(heard) / len(said.strip()), abs=0.2)
    retriever = archive.as_retriever(k=1)
    (best,) = retriever.moments(asked)
    assert best.moments[0].at == second
    (document,) = retriever.invoke(asked)
    assert document.metadata["chroma_hybrid_moments"][0]["at"] == second
    assert not [key for key in document.metadata if key.endswith(("fused", "corrections"))]
    assert retriever.search(asked).corrections == {asked: (heard,)}
    assert retriever.search(asked, typos=False).corrections == {}


def test_neighbours_are_one_moment_and_a_file_is_one_document(archive, folder):
    recordings.subtitles(folder / "clip.srt", (1, 2, "tomato one"), (5, 6, "tomato two"))
    archive.sync(folder)
    found = archive.search("tomato", k=4, mode="lexical")
    assert names(found) == ["clip.mp4"]
    assert (found[0].metadata["start"], found[0].metadata["end"]) == (0.0, 8.0)
    assert found[0].page_content == "tomato one\ntomato two"
    (moment,) = found[0].metadata["chroma_hybrid_moments"]
    assert len(moment["ids"]) == 2
    with pytest.raises(InvalidArgumentError, match="context"):
        archive.store.add_documents(found)
    assert len(archive.explain("tomato", mode="lexical").hits) == 2


def test_far_segments_are_two_moments(archive, folder):
    recordings.subtitles(folder / "clip.srt", (1, 2, "tomato tomato"), (9, 10, "a tomato"))
    archive.sync(folder)
    (best,) = archive.as_retriever().moments("tomato", mode="lexical")
    assert [(moment.start, moment.end) for moment in best.moments] == [(0.0, 4.0), (8.0, 12.0)]
    assert best.hit.record.metadata["start"] == 0.0


async def test_async_and_batch_agree(archive, folder):
    archive.sync(folder)
    retriever = archive.as_retriever(k=2)
    once = retriever.invoke("blue")
    assert await retriever.ainvoke("blue") == once
    assert retriever.batch(["blue"]) == [once]
    assert (await retriever.amoments("blue"))[0].hit.id == retriever.moments("blue")[0].hit.id


def test_k_counts_files(archive, folder):
    archive.sync(folder)
    for k in (1, 2, 3, 4):
        found = names(archive.search("red green blue", k=k))
        assert len(found) == len(set(found)) == k


def test_filters_and_base_filters_hold(archive, folder):
    archive.sync(folder, metadata=lambda path: {"tenant": "a" if "sub" in path.parts else "b"})
    assert names(archive.search("red", filter={"tenant": "a"})) == ["tones.mp3"]
    assert set(names(archive.search("red", filter={"kind": "audio"}))) == {"tones.mp3", "high.wav"}
    retriever = archive.as_retriever(base_filter={"tenant": "a"})
    for ask in ({"image": colours.picture("red")}, {"filter": {"tenant": "b"}}, {}):
        assert set(names(retriever.invoke("red", **ask))) <= {"tones.mp3"}
    assert retriever.moments("red", filter={"tenant": "b"}) == []
    late = archive.search("blue", filter={"start": {"$gte": 4.0}}, k=9)
    assert all(document.metadata["start"] >= 4.0 for document in late)


# Incremental


def test_unchanged_files_are_not_read_again(archive, folder, count, monkeypatch):
    import av

    archive.sync(folder)
    before = count.counts
    monkeypatch.setattr(av, "open", None)
    report = archive.sync(folder)
    assert (len(report.unchanged), count.counts) == (4, before)


def test_a_changed_file_replaces_all_its_segments(archive, folder):
    archive.sync(folder)
    recordings.save_video(folder / "clip.mp4", "cyan")
    report = archive.sync(folder)
    assert [Path(id_).name for id_ in report.updated] == ["clip.mp4"]
    assert [id_ for id_ in stored(archive) if "clip" in id_] == ["clip.mp4#t=0.0,4.0"]
    assert archive.store.verify().ok


def test_a_file_that_is_gone_takes_all_its_segments_along(archive, folder):
    archive.sync(folder)
    (folder / "clip.mp4").unlink()
    assert archive.add_folder(folder).deleted == ()
    assert archive.sync(folder).deleted == (str(folder / "clip.mp4"),)
    assert not any("clip" in id_ for id_ in stored(archive))


def test_a_caption_a_tag_and_a_touch_keep_vectors_and_read_nothing(archive, folder, count):
    recordings.subtitles(folder / "clip.srt", *SAID)
    archive.sync(folder, captions={"clip.mp4": "holidays"})
    before = count.counts
    report = archive.sync(folder, captions={"clip.mp4": "Home"}, tags={"clip.mp4": ["family"]})
    assert report.described == (str(folder / "clip.mp4"),)
    text, facts = stored(archive)["clip.mp4#t=4.0,8.0"]
    assert (text, facts["tags"]) == ("The tomato is in the garden\nHome", ["family"])
    os.utime(folder / "clip.mp4", (1_000_000, 1_000_000))
    said = {"captions": {"clip.mp4": "Home"}, "tags": {"clip.mp4": ["family"]}}
    assert archive.sync(folder, **said).described == (str(folder / "clip.mp4"),)
    assert stored(archive)["clip.mp4#t=4.0,8.0"][1]["mtime"] == 1_000_000
    assert count.counts == before
    assert len(archive.sync(folder, **said).unchanged) == 4
    (best,) = archive.search("tomato", k=1)
    assert best.metadata["start"] == 4.0


def test_a_transcript_that_comes_changes_or_goes_is_noticed(archive, folder):
    archive.sync(folder)
    assert archive.search("tomato", mode="lexical") == []
    for said in ("tomato", "cucumber is longer"):
        recordings.subtitles(folder / "clip.en.srt", (1.0, 2.0, said))
        assert archive.sync(folder).updated == (str(folder / "clip.mp4"),)
        assert names(archive.search(said, mode="lexical")) == ["clip.mp4"]
    (folder / "clip.en.srt").unlink()
    assert archive.sync(folder).updated == (str(folder / "clip.mp4"),)
    assert archive.search("cucumber", mode="lexical") == []


def test_json_that_is_no_transcript_stands_in_no_ones_way(archive, folder):
    """Such as yt-dlp writes."""
    (folder / "clip.json").write_text('{"title": "x"}', encoding="utf-8")
    (folder / "clip.info.json").write_text('{"title": "x"}', encoding="utf-8")
    recordings.subtitles(folder / "clip.en.srt", (1.0, 2.0, "tomato"))
    archive.sync(folder)
    assert names(archive.search("tomato", mode="lexical")) == ["clip.mp4"]
    recordings.subtitles(folder / "clip.en.srt", (1.0, 2.0, "a cucumber"))
    assert archive.sync(folder).updated == (str(folder / "clip.mp4"),)
    assert names(archive.search("cucumber", mode="lexical")) == ["clip.mp4"]


def test_force_and_the_same_content_elsewhere(archive, folder, count):
    archive.sync(folder)
    before = count.images
    assert len(archive.sync(folder, force=True).updated) == 4
    assert count.images == 2 * before


def test_a_kill_before_the_first_segment_is_written_is_mended(archive, folder, monkeypatch):
    from langchain_chroma_hybrid.engine.index import HybridIndex

    archive.sync(folder, patterns=["*.mp4"])
    recordings.save_video(folder / "clip.mp4", "cyan", "magenta")
    whole = HybridIndex.delete

    def killed(self, ids):
        whole(self, ids)
        raise KeyboardInterrupt

    monkeypatch.setattr(HybridIndex, "delete", killed)
    with pytest.raises(KeyboardInterrupt):
        archive.sync(folder, patterns=["*.mp4"])
    monkeypatch.undo()
    report = archive.sync(folder, patterns=["*.mp4"])
    assert len(report.added + report.updated) == 1
    assert sorted(stored(archive)) == ["clip.mp4#t=0.0,4.0", "clip.mp4#t=4.0,8.0"]


# What a model does not know


def test_a_model_of_texts_alone_finds_what_is_said(folder):
    archive = MediaCollection.open(fresh_name(), WordEmbeddings())
    recordings.subtitles(folder / "clip.srt", *SAID)
    report = archive.sync(folder)
    assert report.added == (str(folder / "clip.mp4"),)
    assert len(report.failed) == 3
    assert all("texts alone" in failure.reason for failure in report.failed)
    (best, *_) = archive.as_retriever().moments("tomato garden", mode="vector")
    assert best.moments[0].at == pytest.approx(5.0, abs=1.0)
    for ask in ({"image": colours.picture("red")}, {"audio": (recordings.tone("low"), 16_000)}):
        with pytest.raises(InvalidArgumentError, match="model"):
            archive.search(**ask)
    archive.store.delete_collection()


def test_a_model_that_only_hears_or_only_sees(folder):
    hears = MediaCollection.open(fresh_name(), recordings.embeddings(image_fn=None))
    report = hears.sync(folder)
    assert [Path(failure.name).name for failure in report.failed] == ["yellow.png"]
    found = stored(hears)
    assert found["clip.mp4#t=0.0,10.0"][1]["kind"] == "video"
    with pytest.raises(InvalidArgumentError, match="image_fn"):
        hears.search(image=colours.picture("red"))
    sees = MediaCollection.open(fresh_name(), recordings.embeddings(audio_fn=None))
    report = sees.sync(folder)
    assert sorted(Path(f.name).name for f in report.failed) == ["high.wav", "tones.mp3"]
    with pytest.raises(InvalidArgumentError, match="audio_fn"):
        sees.search(audio=(recordings.tone("low"), 16_000))
    with pytest.raises(InvalidArgumentError, match="does not see"):
        ImageCollection(hears.store).sync(folder)
    for each in (hears, sees):
        each.store.delete_collection()


@pytest.mark.parametrize("given", [
    {"speech": 5},
    {"ocr": "x"},
    {"roots": 5},
    {"segmentation": Segmentation},
    {"segmentation": {"length": 5.0}},
    {"media": 5},
    {"media": [5]},
    {"media": ["slides"]},
])  # fmt: skip
def test_what_is_no_function_and_no_protocol(given):
    with pytest.raises(InvalidArgumentError, match=next(iter(given))):
        MediaCollection.open(fresh_name(), recordings.embeddings(), **given)
    for wrong in (None, "db", WordEmbeddings()):
        with pytest.raises(InvalidArgumentError, match="HybridChroma"):
            MediaCollection(wrong)


@pytest.mark.parametrize("given", [
    {"length": 0}, {"length": "x"}, {"overlap": -1}, {"overlap": 20.0}, {"frame_rate": 0},
    {"scene_change": None}, {"shortest": float("inf")}, {"length": True},
])  # fmt: skip
def test_segmentations_that_mean_nothing(given):
    with pytest.raises(InvalidArgumentError, match=next(iter(given))):
        Segmentation(**given)


def test_a_number_of_segments_that_means_nothing(archive):
    for wrong in (0, -1, 1.5):
        with pytest.raises(InvalidArgumentError, match="segments"):
            archive.as_retriever(segments=wrong).invoke("x")


@pytest.mark.parametrize("given", ["clip.mp4", b"data", Path("clip.mp4"), {"clip.mp4": 1}, 5, None])
def test_one_file_is_no_list_of_files(archive, given):
    with pytest.raises(InvalidArgumentError, match="files: expected a list of files, also for one"):
        archive.add(given)
    shelf = ImageCollection(archive.store)
    with pytest.raises(InvalidArgumentError, match="pictures: expected a list of pictures, also"):
        shelf.add(given)


@pytest.mark.parametrize(("given", "message"), [
    ([], "files: expected at least one of files"),
    ([None], "files: expected"),
    (["a.mp4"], "captions: expected a list of 1, one for each of files"),
])  # fmt: skip
def test_messages_name_the_argument(archive, given, message):
    with pytest.raises(InvalidArgumentError, match=message):
        archive.add(given, captions=["a", "b"] if given and given[0] else None)


def test_progress_that_cannot_be_called_is_said_before_anything_is_written(archive, folder):
    before = archive.store.get(include=[])["ids"]
    for call in (lambda: archive.sync(folder, progress=5), lambda: archive.add(["a"], progress=5)):
        with pytest.raises(InvalidArgumentError, match="progress: expected a function, or None"):
            call()
    assert archive.store.get(include=[])["ids"] == before


def test_a_row_for_each_channel_is_no_silence(archive):
    """Samples as torchaudio has them, whose mean over the longer side would be nothing."""
    stereo = np.stack([recordings.tone("low")] * 2)
    (failed,) = archive.add([(stereo, recordings.RATE)]).failed
    assert "expected float or integer samples of shape (n,) or (n, channels)" in failed.reason
    added = archive.add([(stereo.T, recordings.RATE)])
    assert len(added.added) == 1
    archive.delete(added.added)


# Hooks


def test_speech_is_asked_where_no_transcript_is(folder):
    asked = []

    def speech(samples, rate):
        asked.append((len(samples) / rate, samples.dtype, rate))
        yield 0.5, 1.5, "tomato soup"

    archive = MediaCollection.open(fresh_name(), recordings.embeddings(), speech=speech)
    recordings.subtitles(folder / "clip.srt", *SAID)
    (folder / "sub/tones.json").write_text('{"title": "no transcript"}', encoding="utf-8")
    archive.sync(folder)
    assert sorted((round(seconds), str(kind), rate) for seconds, kind, rate in asked) == [
        (4, "float32", 16_000), (15, "float32", 16_000),
    ]  # fmt: skip
    assert sorted(names(archive.search("soup", mode="lexical"))) == ["high.wav", "tones.mp3"]
    archive.store.delete_collection()


def test_text_in_frames_is_read_once_for_each_segment(folder):
    def ocr(image):
        red = image.getpixel((0, 0))[0] > 200
        return f"Exit {image.size[0]}\nPlatform 4" if red else None

    archive = MediaCollection.open(fresh_name(), recordings.embeddings(), ocr=ocr)
    archive.sync(folder, patterns=["*.mp4"])
    text, facts = stored(archive)["clip.mp4#t=0.0,4.0"]
    assert text == facts["ocr"] == "Exit 64\nPlatform 4"
    assert stored(archive)["clip.mp4#t=8.0,12.0"][0] == ""
    archive.store.delete_collection()


class Notes:
    """A kind of file of our own: a line each for a second."""

    suffixes = frozenset({".notes"})
    keys = frozenset({"kind"})
    expected = "nothing else"
    companions = ()
    single = False

    def takes(self, source):
        return False

    def beside(self, file):
        return ""

    def open(self, item, reading):
        from types import SimpleNamespace

        lines = item.source.read_text(encoding="utf-8").splitlines()
        parts = [
            Segment({"kind": "notes"}, lines=(line,), start=float(at), end=at + 1.0)
            for at, line in enumerate(lines)
        ]
        return SimpleNamespace(sha256="0" * 64, damage="", segments=lambda: iter(parts))


def test_a_kind_of_files_of_ones_own(folder):
    (folder / "a.notes").write_text("the first\nthe tomato\n", encoding="utf-8")
    archive = MediaCollection.open(fresh_name(), WordEmbeddings(), media=[Notes()])
    archive.sync(folder, patterns=["*.notes"])
    (best,) = archive.search("tomato", k=1)
    assert (best.metadata["start"], best.metadata["kind"]) == (1.0, "notes")
    assert isinstance(archive.as_retriever(), MediaRetriever)
    archive.store.delete_collection()


# What is no file


def test_sounds_of_every_kind_are_added(archive, folder, tmp_path):
    samples = recordings.tone("middle")
    given = [
        folder / "high.wav",
        (folder / "sub/tones.mp3").as_uri(),
        (folder / "clip.mp4").read_bytes(),
        (samples, recordings.RATE),
        (np.stack([samples, samples], axis=1), recordings.RATE),
        colours.picture("cyan"),
        (folder / "yellow.png").read_bytes(),
    ]
    report = archive.add(given, captions=[f"number {at}" for at in range(7)])
    assert (len(report.added), report.failed) == (7, ())
    again = archive.add([(samples, recordings.RATE)], captions=["once more"])
    assert len(again.described) == 1
    assert archive.search("once more", mode="lexical", k=1)[0].metadata["kind"] == "audio"


def test_own_ids_begin_those_of_segments(archive, folder):
    archive.add([folder / "clip.mp4"], ids=["holidays"])
    assert "holidays#t=4.0,8.0" in archive.store.get()["ids"]
    assert archive.add([folder / "clip.mp4"], ids=["holidays"]).unchanged == ("holidays",)


@pytest.mark.parametrize("given", [
    {"files": []},
    {"files": [7]},
    {"files": ["a.mp4"], "metadatas": [{"start": 1.0}]},
    {"files": ["a.mp4"], "metadatas": [{"media": "x"}]},
    {"files": ["a.mp4", "b.mp4"], "ids": ["x", "x"]},
])  # fmt: skip
def test_what_cannot_be_stored_is_said_before_anything_is_written(archive, given):
    with pytest.raises(InvalidArgumentError):
        archive.add(**given)
    assert stored(archive) == {}


@pytest.mark.parametrize("sound", [
    (np.zeros(0, np.float32), 16_000),
    (np.zeros((2, 2, 2), np.float32), 16_000),
    (np.zeros(10, complex), 16_000),
    (np.zeros(10, np.float32), 0),
    (np.zeros(10, np.float32), "x"),
    (np.zeros(10, np.float32),),
])  # fmt: skip
def test_samples_that_are_none(archive, sound):
    report = archive.add([sound])
    assert len(report.failed) == 1
    with pytest.raises(InvalidArgumentError):
        archive.search(audio=sound)
    with pytest.raises(InvalidArgumentError):
        archive.embeddings.embed_audio([sound])


# What a kill leaves behind, and what is whose


def killed_at(monkeypatch, number):
    """The process ends at the write of this number."""
    from langchain_chroma_hybrid.engine.index import HybridIndex

    whole, calls = HybridIndex.upsert, []

    def upsert(self, rows, **options):
        calls.append(rows)
        if len(calls) > number:
            raise KeyboardInterrupt
        return whole(self, rows, **options)

    monkeypatch.setattr(HybridIndex, "upsert", upsert)


def test_a_new_file_that_a_kill_has_torn_and_that_then_changes(archive, folder, monkeypatch):
    """Its first segment is not there, and the others would be nobody's."""
    killed_at(monkeypatch, 1)
    with pytest.raises(KeyboardInterrupt):
        archive.sync(folder, patterns=["*.mp4"])
    monkeypatch.undo()
    assert sorted(stored(archive)) == ["clip.mp4#t=4.0,8.0", "clip.mp4#t=8.0,12.0"]
    recordings.save_video(folder / "clip.mp4", "cyan")
    assert archive.sync(folder, patterns=["*.mp4"]).added == (str(folder / "clip.mp4"),)
    assert sorted(stored(archive)) == ["clip.mp4#t=0.0,4.0"]


def test_a_caption_that_a_kill_has_torn(archive, folder, monkeypatch):
    archive.sync(folder, patterns=["*.mp4"])
    said = {"patterns": ["*.mp4"], "captions": {"clip.mp4": "holidays"}}
    killed_at(monkeypatch, 1)
    with pytest.raises(KeyboardInterrupt):
        archive.sync(folder, **said)
    monkeypatch.undo()
    report = archive.sync(folder, **said)
    assert len(report.added + report.described) == 1
    assert {text for text, _ in stored(archive).values()} == {"holidays"}
    assert len(archive.sync(folder, **said).unchanged) == 1


@pytest.mark.parametrize("what", ["caption", "content"])
def test_what_is_as_before_the_run_that_was_killed(archive, folder, monkeypatch, what):
    """The file and its caption are those that the first segment has seen, but not the others."""
    old = (folder / "clip.mp4").read_bytes()
    times = (folder / "clip.mp4").stat().st_mtime_ns
    archive.sync(folder, patterns=["*.mp4"])
    before = stored(archive)
    said = {"clip.mp4": "holidays"} if what == "caption" else None
    if what == "content":
        recordings.save_video(folder / "clip.mp4", "cyan", "magenta")
    killed_at(monkeypatch, 1)
    with pytest.raises(KeyboardInterrupt):
        archive.sync(folder, patterns=["*.mp4"], captions=said)
    monkeypatch.undo()
    (folder / "clip.mp4").write_bytes(old)
    os.utime(folder / "clip.mp4", ns=(times, times))
    archive.sync(folder, patterns=["*.mp4"])
    assert {k: v[0] for k, v in stored(archive).items()} == {k: v[0] for k, v in before.items()}
    assert len(archive.sync(folder, patterns=["*.mp4"]).unchanged) == 1


def test_a_model_that_fails_in_the_middle_leaves_nothing_of_the_file(folder):
    calls = []

    def images(given):
        calls.append(len(given))
        if len(calls) == 2:
            raise RuntimeError("out of memory")
        return np.hstack([colours.images(given), np.zeros((len(given), 3))])

    given = recordings.embeddings(image_fn=images, batch_size=4)
    archive = MediaCollection.open(fresh_name(), given)
    with pytest.raises(RuntimeError, match="memory"):
        archive.sync(folder, patterns=["*.mp4"])
    assert stored(archive) == {}
    assert len(archive.sync(folder, patterns=["*.mp4"]).added) == 1
    assert len(stored(archive)) == 3
    archive.store.delete_collection()


def test_a_file_is_deleted_by_its_id(archive, folder):
    archive.sync(folder)
    (pictures,) = [i for i in archive.store.get()["ids"] if "#" not in i]
    archive.delete([str(folder / "clip.mp4"), pictures])
    assert {Path(name).name.split("#")[0] for name in stored(archive)} == {"high.wav", "tones.mp3"}
    archive.delete(["unknown"])
    archive.delete(where={"kind": "audio"})
    assert stored(archive) == {}
    assert len(archive.sync(folder).added) == 4


def test_a_collection_of_pictures_deletes_no_sound_of_the_folder(archive, folder):
    archive.sync(folder)
    before = len(stored(archive))
    photos = ImageCollection(archive.store)
    assert len(photos.sync(folder).unchanged) == 1
    (folder / "yellow.png").unlink()
    (folder / "high.wav").unlink()
    assert len(photos.sync(folder).deleted) == 1
    assert len(stored(archive)) == before - 1
    assert archive.sync(folder).deleted == (str(folder / "high.wav"),)


def test_names_that_look_like_something_else(archive, folder):
    names_ = ("a b%20c#t=1.0,2.0 ü.mp4", "日本#t=4.0,8.0.mp4", "q?a=b.mp4", "-x.mp4", "http:b.mp4")
    for name in names_ if os.name != "nt" else names_[:2]:
        shutil.copy(folder / "clip.mp4", folder / name)
        recordings.subtitles(folder / Path(name).with_suffix(".srt"), (0.0, 1.0, "tomato"))
    report = archive.sync(folder)
    assert report.failed == ()
    assert len(archive.sync(folder).unchanged) == len(report.added)
    found = archive.search("tomato", mode="lexical", k=9)
    assert {*names(found)} == {path.name for path in folder.glob("*.mp4")} - {"clip.mp4"}
    for document in found:
        assert "image" in {block["type"] for block in archive.as_content_blocks([document])}
    gone = folder / "日本#t=4.0,8.0.mp4"
    gone.unlink()
    assert archive.sync(folder).deleted == (str(gone),)


def test_segments_without_times_are_all_there(tmp_path):
    class Slides(Notes):
        def open(self, item, reading):
            found = Notes.open(self, item, reading)
            parts = [Segment(each.facts, lines=each.lines) for each in found.segments()]
            found.segments = lambda: iter(parts)
            return found

    (tmp_path / "a#part=1.notes").write_text("first\nsecond\nthird", encoding="utf-8")
    archive = MediaCollection.open(fresh_name(), WordEmbeddings(), media=[Slides()])
    for _ in range(2):
        archive.sync(tmp_path)
        path = str(tmp_path / "a#part=1.notes")
        expected = [path, f"{path}#part=1", f"{path}#part=2"]
        assert sorted(archive.store.get()["ids"]) == expected
    archive.sync(tmp_path, captions=lambda path: "a caption")
    assert archive.store.get()["documents"][0].endswith("\na caption")
    (best,) = archive.search("third", k=1)
    assert (best.page_content, "start" in best.metadata) == ("third\na caption", False)
    archive.store.delete_collection()
