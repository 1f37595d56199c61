"""An hour of video: read as a stream, whatever its length."""

import subprocess
import sys

import pytest

pytest.importorskip("av", reason="sound and video need the extra `media`")

ENCODE = """
import sys
from fractions import Fraction
import av, numpy as np

path, seconds, rate = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
options = {"preset": "ultrafast", "crf": "35", "x264-params": "scenecut=0"}
rows, columns = np.mgrid[0:1080, 0:1920].astype(np.uint16)
with av.open(path, "w") as container:
    stream = container.add_stream("libx264", rate=rate, options=options)
    stream.width, stream.height, stream.pix_fmt = 1920, 1080, "yuv420p"
    track = container.add_stream("aac", rate=16_000)
    track.layout = "mono"
    for at in range(seconds * rate):
        frame = av.VideoFrame(1920, 1080, "yuv420p")
        grey = (rows // 4 + columns // 8 + at % 251).astype(np.uint8)
        grey[:32, :32] = at // 251 % 256  # no two frames are the same
        frame.planes[0].update(np.pad(grey, ((0, 0), (0, frame.planes[0].line_size - 1920))))
        for plane in frame.planes[1:]:
            plane.update(np.full(plane.buffer_size, 60 + at // rate // 7 * 40 % 150, np.uint8))
        frame.pts, frame.time_base = at, Fraction(1, rate)
        container.mux(stream.encode(frame))
        if at % rate == 0:
            tone = np.sin(np.arange(16_000) * (0.1 + at % 7 / 10)).astype(np.float32)
            sound = av.AudioFrame.from_ndarray(tone[None], format="fltp", layout="mono")
            sound.sample_rate, sound.pts = 16_000, at // rate * 16_000
            sound.time_base = Fraction(1, 16_000)
            for step in range(0, 16_000, 1_000):
                part = av.AudioFrame.from_ndarray(
                    np.ascontiguousarray(tone[None, step : step + 1_000]), "fltp", "mono"
                )
                part.sample_rate, part.pts = 16_000, at // rate * 16_000 + step
                part.time_base = Fraction(1, 16_000)
                container.mux(track.encode(part))
    container.mux(track.encode())
    container.mux(stream.encode())
"""
READ = """
import resource, sys
from tests import recordings
from langchain_chroma_hybrid.multimodal import MediaCollection

warm, hour = sys.argv[1:]
archive = MediaCollection.open("hour", recordings.embeddings())
archive.add([warm])
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
report = archive.add([hour])
grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
ends = [each["end"] for each in archive.store.get(include=["metadatas"])["metadatas"]]
print(len(report.added), len(report.failed), len(ends), max(ends), before / 1024, grown)
"""


@pytest.mark.long
@pytest.mark.timeout(5400)
@pytest.mark.skipif(sys.platform == "win32", reason="the module `resource`")
def test_an_hour_of_1080p_takes_less_than_300_megabytes(tmp_path):
    """Beside what the process had before, Python with Chroma, NumPy and PyAV among it."""
    warm, hour = str(tmp_path / "warm.mp4"), str(tmp_path / "hour.mp4")
    for path, seconds in ((warm, 4), (hour, 3600)):
        command = [sys.executable, "-c", ENCODE, path, str(seconds), "5"]
        subprocess.run(command, check=True)
    command = [sys.executable, "-c", READ, warm, hour]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    added, failed, segments, end, _, grown = map(float, done.stdout.split())
    assert (added, failed) == (1, 0)
    assert segments >= 360
    assert end == pytest.approx(3600, abs=1.5)
    assert grown < 300
