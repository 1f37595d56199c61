"""Files that are damaged, that lie, that grow, or that name others: reported, and nothing more."""

import io
import os
import struct
import sys
import wave
import weakref
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("av", reason="sound and video need the extra `media`")

from langchain_chroma_hybrid.embeddings import PicturePolicy
from langchain_chroma_hybrid.errors import MediaError
from langchain_chroma_hybrid.multimodal import MediaCollection, Segmentation
from tests import recordings
from tests.helpers import fresh_name
from tests.unit import colours


@pytest.fixture
def archive():
    made = MediaCollection.open(fresh_name(), recordings.embeddings())
    yield made
    made.store.delete_collection()


def segments(collection):
    found = collection.store.get(include=["metadatas"])["metadatas"]
    timed = [(m["file_name"], m["start"], m["end"]) for m in found if "start" in m]
    return sorted(timed)


def test_one_bad_file_stops_no_other(archive, tmp_path):
    good = recordings.save_video(tmp_path / "good.mp4", "red", "blue", seconds=2)
    data = good.read_bytes()
    (tmp_path / "empty.mp4").write_bytes(b"")
    (tmp_path / "text.mp4").write_bytes(b"no video at all")
    (tmp_path / "cut.mp4").write_bytes(data[: len(data) // 2])
    (tmp_path / "noise.mp3").write_bytes(np.random.default_rng(0).bytes(20_000))
    (tmp_path / "zeros.wav").write_bytes(b"\0" * 5_000)
    (tmp_path / "folder.mp4").mkdir()
    report = archive.sync(tmp_path)
    assert report.added == (str(good),)
    failed = {Path(each.name).name: each.reason for each in report.failed}
    assert sorted(failed) == ["cut.mp4", "empty.mp4", "noise.mp3", "text.mp4", "zeros.wav"]
    assert "an empty file" in failed["empty.mp4"]
    # As a string, each names its file once.
    assert all(str(each).count(Path(each.name).name) == 1 for each in report.failed)
    assert {name for name, *_ in segments(archive)} == {"good.mp4"}
    again = archive.sync(tmp_path)
    assert (len(again.failed), again.unchanged, again.added) == (5, (str(good),), ())


def test_a_file_that_became_unreadable_stays_as_it_was(archive, tmp_path):
    path = recordings.save_video(tmp_path / "a.mp4", "red", "blue", seconds=2)
    archive.sync(tmp_path)
    before = segments(archive)
    path.write_bytes(path.read_bytes()[:2_000])
    report = archive.sync(tmp_path)
    assert [each.name for each in report.failed] == [str(path)]
    assert (report.deleted, segments(archive)) == ((), before)


@pytest.mark.parametrize("suffix", [".mkv", ".ts", ".mp3", ".ogg", ".flac"])
def test_what_is_cut_off_is_read_up_to_there(archive, tmp_path, suffix):
    path = tmp_path / f"a{suffix}"
    if suffix in (".mkv", ".ts"):
        recordings.save_video(path, "red", "green", "blue", "cyan", seconds=3)
    else:
        recordings.save_sound(path, "low", "high", "middle", "low")
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 6 // 10])
    report = archive.sync(tmp_path)
    assert (report.added, report.failed) == ((str(path),), ())
    assert 2.0 <= max(end for *_, end in segments(archive)) <= 11.0


def test_damage_in_the_middle_is_passed_over_and_told(archive, tmp_path):
    path = recordings.save_video(tmp_path / "a.mkv", *list(colours.COLOURS)[:4], seconds=3)
    data = bytearray(path.read_bytes())
    middle = len(data) // 2
    data[middle : middle + 400] = b"\xff" * 400
    path.write_bytes(data)
    report = archive.sync(tmp_path)
    assert report.added == (str(path),)
    assert max(end for *_, end in segments(archive)) > 6.0


def test_a_codec_that_nobody_knows(archive, tmp_path):
    path = recordings.save_video(tmp_path / "a.mkv", "red", codec="mpeg4")
    data = path.read_bytes()
    assert b"V_MPEG4/ISO/ASP" in data
    path.write_bytes(data.replace(b"V_MPEG4/ISO/ASP", b"V_NOBODYKNOWS/1"))
    (failure,) = archive.sync(tmp_path).failed
    assert "video" in failure.reason
    assert segments(archive) == []


def test_variable_frame_rates_keep_their_times(archive, tmp_path):
    frames = [np.asarray(colours.picture(name, (64, 48))) for name in ("red", "green", "blue")]
    shown = [0, 1, 2, 40, 41, 90, 91, 92, 130]
    pictures = [frames[0]] * 3 + [frames[1]] * 2 + [frames[2]] * 4
    recordings.save(tmp_path / "a.mp4", pictures, times=shown)
    archive.sync(tmp_path)
    assert [(start, end) for _, start, end in segments(archive)] == [
        (0.0, 4.0), (4.0, 9.0), (9.0, 14.0),
    ]  # fmt: skip


def test_silence_is_left_out(archive, tmp_path):
    silent = recordings.save_sound(tmp_path / "silent.wav", "silence")
    recordings.save_sound(tmp_path / "late.wav", "silence", "silence", "high", seconds=10)
    report = archive.sync(tmp_path)
    assert [each.name for each in report.failed] == [str(silent)]
    assert "silence" in report.failed[0].reason
    assert min(start for _, start, _ in segments(archive)) > 8.0


def test_a_header_that_claims_ten_hours(archive, tmp_path):
    body = io.BytesIO()
    with wave.open(body, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(16_000)
        file.writeframes((recordings.tone("high", 2) * 32_000).astype("<i2").tobytes())
    data = bytearray(body.getvalue())
    data[4:8] = data[40:44] = (16_000 * 2 * 36_000).to_bytes(4, "little")
    (tmp_path / "a.wav").write_bytes(data)
    # And a video with one frame now, and the next in ten hours.
    frames = [np.asarray(colours.picture(name, (64, 48))) for name in ("red", "blue")]
    recordings.save(tmp_path / "b.mp4", frames, times=[0, 360_000])
    archive.sync(tmp_path)
    found = segments(archive)
    assert found[0] == ("a.wav", 0.0, 2.0)
    assert len(found) == 3


def test_a_cover_is_no_video(archive, tmp_path):
    import av

    picture = colours.picture("red", (32, 32))
    cover = io.BytesIO()
    picture.save(cover, "JPEG")

    def with_cover(path, sound):
        with av.open(str(path), "w", format="mp4") as container:
            tracks = [container.add_stream("aac", rate=recordings.RATE)] if sound else []
            stream = container.add_stream("mjpeg")
            stream.width, stream.height, stream.pix_fmt = 32, 32, "yuvj420p"
            stream.disposition = av.stream.Disposition.attached_pic
            for track in tracks:
                track.layout = "mono"
            packet = av.Packet(cover.getvalue())
            packet.stream, packet.pts, packet.dts, packet.is_keyframe = stream, 0, 0, True
            packet.time_base = Fraction(1, 1000)
            container.mux(packet)
            for track in tracks:
                recordings._encode(container, track, recordings.tone("high"))

    with_cover(tmp_path / "song.m4a", sound=True)
    with_cover(tmp_path / "cover.m4a", sound=False)
    report = archive.sync(tmp_path)
    assert [Path(each.name).name for each in report.failed] == ["cover.m4a"]
    (facts,) = archive.store.get(include=["metadatas"])["metadatas"]
    assert facts["kind"] == "audio"


def test_of_several_audio_tracks_the_first_counts(archive, tmp_path):
    tracks = [recordings.tone("low"), recordings.tone("high")]
    recordings.save(tmp_path / "a.mka", sounds=tracks)
    archive.sync(tmp_path)
    near = {
        name: archive.explain(name, mode="vector", k=1).hits[0].distance for name in ("low", "high")
    }
    assert near["low"] < 0.2 < near["high"]


@pytest.mark.parametrize("rotation", [0, 90, 180, 270])
def test_rotated_videos_are_upright(tmp_path, rotation):
    """A red field above a blue one, as they are stored; a player turns them."""
    from langchain_chroma_hybrid.embeddings.media.container import Damage
    from langchain_chroma_hybrid.embeddings.media.video import frames_of

    pixels = np.zeros((48, 64, 3), np.uint8)
    pixels[:24, :, 0] = pixels[24:, :, 2] = 255
    path = tmp_path / "a.mp4"
    recordings.save(path, [pixels] * 10, rotation=rotation)
    (frame,) = frames_of(path, PicturePolicy(), Damage())
    lies = rotation % 180 == 90
    assert (frame.width, frame.height) == ((48, 64) if lies else (64, 48))
    width, height = frame.image.size
    # The display matrix turns counter-clockwise: what was above is then on the left.
    place = {0: (width // 2, 2), 90: (2, height // 2), 180: (width // 2, height - 3),
             270: (width - 3, height // 2)}[rotation]  # fmt: skip
    red, _, blue = frame.image.getpixel(place)
    assert (red > 200, blue < 50) == (True, True)


def test_a_file_that_grows_while_it_is_read_waits_for_the_next_sync(tmp_path):
    path = recordings.save_sound(tmp_path / "a.wav", "high")
    grow = [True]

    def speech(samples, rate):
        if grow.pop():
            with path.open("ab") as file:
                file.write(b"\1" * 32_000)
        grow.append(False)
        return "tomato"

    archive = MediaCollection.open(fresh_name(), recordings.embeddings(), speech=speech)
    (failure,) = archive.sync(tmp_path).failed
    assert "changed while it was read" in failure.reason
    assert segments(archive) == []
    assert archive.sync(tmp_path).added == (str(path),)
    archive.store.delete_collection()


# Limits


def test_frames_and_lengths_beyond_the_limits(tmp_path):
    recordings.save_video(tmp_path / "a.mp4", "red", "blue", "green", seconds=3)
    policies = {
        "pixels": PicturePolicy(max_pixels=1_000),
        "max_seconds": PicturePolicy(max_seconds=4.0),
        "max_reading": PicturePolicy(max_reading=1e-9),
    }
    for reason, policy in policies.items():
        archive = MediaCollection.open(fresh_name(), recordings.embeddings(policy=policy))
        report = archive.sync(tmp_path)
        (told,) = report.failed or report.damaged
        assert reason in told.reason
        assert bool(report.failed) == (reason == "pixels") or reason == "max_reading"
        if reason == "max_seconds":
            assert max(end for *_, end in segments(archive)) <= 5.0
        archive.store.delete_collection()


def test_a_video_whose_frames_grow(tmp_path, archive):
    """Every frame is checked, not only what the header says."""
    small = recordings.save_video(tmp_path / "a.ts", "red", size=(64, 48)).read_bytes()
    large = recordings.save_video(tmp_path / "b.ts", "blue", size=(640, 480)).read_bytes()
    (tmp_path / "b.ts").unlink()
    (tmp_path / "a.ts").write_bytes(small + large)
    policy = PicturePolicy(max_pixels=64 * 48)
    archive = MediaCollection.open(fresh_name(), recordings.embeddings(policy=policy))
    report = archive.sync(tmp_path)
    assert report.damaged or report.failed
    assert max((end for *_, end in segments(archive)), default=0) <= 5.0
    archive.store.delete_collection()


def test_frames_are_not_kept(tmp_path):
    """Whatever the length; tests/integration/test_media_hour.py measures the memory of an hour."""
    seen, most = [], []

    def images(given):
        seen.extend(weakref.ref(image) for image in given)
        most.append(sum(image() is not None for image in seen))
        return np.hstack([colours.images(given), np.zeros((len(given), 3))])

    recordings.save_video(tmp_path / "a.mp4", *["red", "blue"] * 4, seconds=10, rate=1)
    given = recordings.embeddings(image_fn=images, batch_size=4)
    archive = MediaCollection.open(fresh_name(), given)
    archive.sync(tmp_path)
    assert len(seen) == 80
    # Those of a segment, and of the one that is cut meanwhile.
    assert max(most) <= 20
    archive.store.delete_collection()


# What may be opened


def test_a_file_that_names_others_opens_none(archive, tmp_path):
    secret = recordings.save_video(tmp_path / "secret/a.mp4", "red")
    inside = tmp_path / "media"
    inside.mkdir()
    lists = {
        "list.m3u8": f"#EXTM3U\n#EXT-X-TARGETDURATION:4\n#EXTINF:4,\n{secret}\n#EXT-X-ENDLIST\n",
        "list.ffconcat": f"ffconcat version 1.0\nfile '{secret}'\n",
        "list.sdp": "v=0\nc=IN IP4 127.0.0.1\nm=audio 9 RTP/AVP 0\n",
        "list.mpd": f"<MPD><BaseURL>{secret}</BaseURL></MPD>",
    }
    for name, text in lists.items():
        (inside / f"{name}.mp4").write_text(text, encoding="utf-8")
    report = archive.sync(inside)
    assert len(report.failed) == len(lists)
    assert segments(archive) == []


@pytest.mark.skipif(sys.platform == "win32", reason="needs rights on Windows")
def test_links_out_of_the_folder(archive, tmp_path, caplog):
    secret = recordings.save_video(tmp_path / "secret/a.mp4", "red")
    recordings.subtitles(tmp_path / "secret/b.srt", (0.0, 1.0, "secret words"))
    inside = recordings.save_video(tmp_path / "media/b.mp4", "blue")
    (inside.parent / "a.mp4").symlink_to(secret)
    (inside.parent / "b.srt").symlink_to(tmp_path / "secret/b.srt")
    assert archive.sync(inside.parent).added == (str(inside),)
    assert "lead out of" in caplog.text
    assert archive.search("secret", mode="lexical") == []
    archive.add([inside], force=True)
    assert archive.search("secret", mode="lexical") == []


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs pipes")
def test_a_pipe_is_not_waited_for(archive, tmp_path):
    os.mkfifo(tmp_path / "a.mp4")
    (failure,) = archive.add([tmp_path / "a.mp4"]).failed
    assert "regular file" in failure.reason


def test_addresses_are_refused_unless_the_policy_says_more(archive):
    given = ["http://localhost/a.mp4", "https://10.0.0.1/a.wav", "s3://x/a.mp3", "rtsp://x/a.mp4"]
    report = archive.add(given)
    assert [each.name for each in report.failed] == given
    open_ = recordings.embeddings(policy=PicturePolicy(http=True))
    archive = MediaCollection.open(fresh_name(), open_)
    failed = archive.add(["http://127.0.0.1:9/a.mp4", "rtsp://127.0.0.1/a.mp4"]).failed
    assert "public" in failed[0].reason
    assert "expected" in failed[1].reason
    archive.store.delete_collection()


def test_what_only_libsndfile_reads(archive, tmp_path):
    soundfile = pytest.importorskip("soundfile")
    samples = np.stack([recordings.tone("high"), recordings.tone("high")], axis=1)
    soundfile.write(tmp_path / "a.wav", samples, recordings.RATE, "PCM_16", format="PVF")
    assert archive.sync(tmp_path).added == (str(tmp_path / "a.wav"),)
    assert segments(archive) == [("a.wav", 0.0, 4.0)]


def test_frames_are_taken_at_a_rate_and_where_the_scene_changes(tmp_path):
    seen = []

    def images(given):
        seen.append(len(given))
        return np.hstack([colours.images(given), np.zeros((len(given), 3))])

    recordings.save_video(tmp_path / "a.mp4", "red", "blue", seconds=2.5)
    how = Segmentation(length=100, frame_rate=0.5, scene_change=0.9, shortest=0)
    archive = MediaCollection.open(
        fresh_name(), recordings.embeddings(image_fn=images), segmentation=how
    )
    archive.sync(tmp_path)
    assert (sum(seen), len(segments(archive))) == (3, 1)
    archive.store.delete_collection()


# What is inside is not what a file should hold


def wav(samples, rate, width=4):
    """A WAV of float or 16-bit samples whose header says any rate."""
    body = np.asarray(samples, "<f4" if width == 4 else "<i2").tobytes()
    kind = 3 if width == 4 else 1
    head = struct.pack("<HHIIHH", kind, 1, rate, rate * width % 2**32, width, 8 * width)
    data = struct.pack("<4sI", b"data", len(body)) + body
    form = b"WAVE" + struct.pack("<4sI", b"fmt ", len(head)) + head + data
    return struct.pack("<4sI", b"RIFF", len(form)) + form


def test_samples_that_are_no_numbers_are_silence(archive, tmp_path):
    """A model that is given NaN gives NaN, which stops a run."""
    samples = recordings.tone("high", 2)
    samples[1_000:1_100], samples[2_000], samples[3_000] = np.nan, np.inf, 3e38
    (tmp_path / "a.wav").write_bytes(wav(samples, recordings.RATE))
    (tmp_path / "b.wav").write_bytes(wav(np.full(32_000, np.nan), recordings.RATE))
    report = archive.sync(tmp_path)
    assert [Path(each).name for each in report.added] == ["a.wav"]
    assert "silence" in report.failed[0].reason
    vectors = archive.embeddings.audio_vectors([tmp_path / "a.wav", (samples, recordings.RATE)])
    assert np.isfinite(vectors).all()
    assert np.allclose(vectors[0], vectors[1])
    assert archive.explain("high", mode="vector").hits[0].distance < 0.2


@pytest.mark.parametrize("rate", [1, 99, 436_223_616, 4_000_000_000])
def test_rates_that_would_fill_the_memory(archive, tmp_path, rate):
    """One sample a second becomes 16,000."""
    (tmp_path / "a.wav").write_bytes(wav(np.ones(500_000), rate, 2))
    (failure,) = archive.sync(tmp_path).failed
    assert "a.wav" in failure.reason
    assert archive.add([(np.ones(500_000), rate)]).failed


def test_eight_bits_are_silent_in_their_middle():
    pair = recordings.embeddings()
    tone = np.round(recordings.tone("high") * 120 + 128).astype(np.uint8)
    exact, found = pair.audio_vectors([(recordings.tone("high"), 16_000), (tone, 16_000)])
    assert exact @ found > 0.95
    with pytest.raises(MediaError, match="silence"):
        pair.embed_audio([(np.full(16_000, 128, np.uint8), 16_000)])


def test_what_libsndfile_gives_up_in_the_middle(archive, tmp_path):
    """It raises while it reads."""
    path = recordings.save_sound(tmp_path / "a.flac", "low", "high")
    data = path.read_bytes()
    path.write_bytes(data[:42] + b"\x84\x00\x00\x40\x81\xff\xff\xff" + data[50:3_000])
    report = archive.sync(tmp_path)
    assert len(report.added + report.failed) == 1


def test_broken_files_stop_no_run(archive, tmp_path):
    """Bytes changed by chance, mostly in headers: reported or read, never raised."""
    sound = recordings.tone("low", 1)
    whole = [
        recordings.save_video(tmp_path / "whole/a.mp4", "red", "blue", seconds=1, sounds=[sound]),
        recordings.save_video(tmp_path / "whole/a.avi", "red", seconds=1, codec="mpeg4"),
        *(recordings.save_sound(tmp_path / f"whole/a{suffix}", "low", seconds=1, codec=codec)
          for suffix, codec in ((".wav", ""), (".flac", ""), (".mp3", ""), (".aiff", "pcm_s16be"))),
    ]  # fmt: skip
    chance = np.random.default_rng(22)
    (tmp_path / "broken").mkdir()
    for at in range(60):
        path = whole[at % len(whole)]
        data = bytearray(path.read_bytes())
        for place in chance.integers(0, (200, len(data))[at % 2], 1 + at % 5):
            data[place] = chance.integers(256)
        (tmp_path / "broken" / f"{at}{path.suffix}").write_bytes(data)
    report = archive.sync(tmp_path / "broken")
    assert len(report.added + report.failed) == 60
    assert len(report.added) > 10
    assert report.failed


def test_tags_of_another_encoding(archive, tmp_path):
    import av

    path = tmp_path / "a.avi"
    with av.open(str(path), "w") as container:
        container.metadata["title"] = "GXYZ"
        stream = container.add_stream("mpeg4", rate=10)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for pixels in [np.asarray(colours.picture("red", (64, 48)))] * 10:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")))
        container.mux(stream.encode())
    data = path.read_bytes()
    assert b"GXYZ" in data
    path.write_bytes(data.replace(b"GXYZ", "Gr\xfc\xdf".encode("latin-1")))
    assert archive.sync(tmp_path).added == (str(path),)


@pytest.mark.parametrize(("shape", "width"), [
    ((2, 1), 128), ((1, 2), 32), ((65_535, 1), 64), ((1, 65_535), 64),
])  # fmt: skip
def test_the_shape_of_pixels(tmp_path, shape, width):
    """One that nobody films in would make four gigabytes of a frame."""
    from langchain_chroma_hybrid.embeddings.media.container import Damage
    from langchain_chroma_hybrid.embeddings.media.video import frames_of

    pixels = np.asarray(colours.picture("red", (64, 48)))
    recordings.save(tmp_path / "a.mp4", [pixels] * 3, shape=Fraction(*shape))
    frame = next(frames_of(tmp_path / "a.mp4", PicturePolicy(), Damage()))
    assert (frame.width, frame.image.size) == (width, (width, 48))
