"""Small files that grow without end in a decoder are refused before they do."""

import io
import json
import struct
import subprocess
import sys
import zlib

import numpy as np
import pytest

pytest.importorskip("PIL", reason="pictures need the extra `image`")
pytest.importorskip("pydicom", reason="DICOM needs the extra `dicom`")
import pydicom
from PIL import Image
from pydicom.encaps import encapsulate
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    JPEGLSLossless,
    RLELossless,
)

from langchain_chroma_hybrid.embeddings.images.pictures import PicturePolicy, load
from langchain_chroma_hybrid.errors import PictureError

MB = 1024 * 1024
# Far below what the bombs here come to.
TIGHT = {"max_bytes": 16 * MB, "max_pixels": 1_000_000}
ZEROS = bytes([129, 0])  # a run of 128 bytes of RLE


# DICOM


def dicom(values, syntax=ExplicitVRLittleEndian, pixels=None, size=None, **more):
    """A file of grey `values`, or with other `pixels` under their description."""
    made = pydicom.Dataset()
    made.file_meta = pydicom.dataset.FileMetaDataset()
    made.file_meta.TransferSyntaxUID = syntax
    made.file_meta.MediaStorageSOPClassUID = made.SOPClassUID = "1.2.840.10008.5.1.4.1.1.7"
    made.file_meta.MediaStorageSOPInstanceUID = made.SOPInstanceUID = "1.2.3"
    bits = 8 * values.dtype.itemsize
    made.Rows, made.Columns = size or values.shape
    made.SamplesPerPixel, made.PhotometricInterpretation = 1, "MONOCHROME2"
    made.BitsAllocated, made.BitsStored, made.HighBit = bits, bits, bits - 1
    made.PixelRepresentation = 0
    for name, value in more.items():
        setattr(made, name, value)
    made.PixelData = values.tobytes() if pixels is None else pixels
    made["PixelData"].VR = "OB" if syntax.is_encapsulated else "OW"
    made["PixelData"].is_undefined_length = syntax.is_encapsulated
    if syntax == ExplicitVRBigEndian:
        made.PixelData = values.byteswap().tobytes()
    target = io.BytesIO()
    made.save_as(target, enforce_file_format=True)
    return target.getvalue()


def element(tag, kind, value, length=None):
    head = struct.pack("<HH2s", tag >> 16, tag & 0xFFFF, kind)
    length = len(value) if length is None else length
    if kind in (b"OB", b"OW", b"SQ", b"UN"):
        return head + struct.pack("<HI", 0, length) + value
    return head + struct.pack("<H", length) + value


def with_elements(more):
    """A picture with encoded elements before its pixels."""
    plain = dicom(SQUARE)
    at = plain.rindex(b"\xe0\x7f\x10\x00OW")
    return plain[:at] + more + plain[at:]


def runs(*segments):
    starts = [64 + sum(map(len, segments[:at])) for at in range(len(segments))]
    header = struct.pack("<16L", len(segments), *starts, *[0] * (15 - len(segments)))
    return encapsulate([header + b"".join(segments)])


SQUARE = np.arange(256, dtype=np.uint16).reshape(16, 16) * 256
EMPTY_ITEM = struct.pack("<HHI", 0xFFFE, 0xE000, 0)
END_OF_ITEMS = struct.pack("<HHI", 0xFFFE, 0xE0DD, 0)


def deflated_bomb(megabytes):
    packer = zlib.compressobj(1, wbits=-15)
    plain = dicom(SQUARE, DeflatedExplicitVRLittleEndian)
    meta = plain[: 144 + struct.unpack("<I", plain[140:144])[0]]
    length = megabytes * MB
    body = packer.compress(element(0x00091010, b"OB", b"", length))
    for _ in range(megabytes):
        body += packer.compress(bytes(MB))
    body += packer.compress(element(0x7FE00010, b"OW", SQUARE.tobytes())) + packer.flush()
    return meta + body


def many_elements(count):
    made = np.zeros((count, 8), np.uint8)
    number = np.arange(count)
    group, inside = 0x0029 + 2 * (number // 60_000), number % 60_000 + 0x1000
    made[:, 0], made[:, 1] = group & 255, group >> 8
    made[:, 2], made[:, 3] = inside & 255, inside >> 8
    made[:, 4:6] = list(b"LO")
    return with_elements(made.tobytes())


def compressed(size, kind):
    target = io.BytesIO()
    Image.new("L", size).save(target, kind)
    return target.getvalue()


def jpeg_ls(size):
    header = b"\xff\xd8\xff\xf7" + struct.pack(">HBHHB", 11, 8, size[1], size[0], 1)
    return header + b"\1\x11\0\xff\xda" + bytes(40)


# Other formats


def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(width, height, *chunks, bits=8, colour=0):
    row = bytes((width * bits * {0: 1, 2: 3, 6: 4}[colour] + 7) // 8 + 1)
    packer = zlib.compressobj(1)
    body = b"".join(packer.compress(row) for _ in range(height)) + packer.flush()
    header = struct.pack(">IIBBBBB", width, height, bits, colour, 0, 0, 0)
    parts = [chunk(b"IHDR", header), *chunks, chunk(b"IDAT", body), chunk(b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def icon(picture):
    return struct.pack("<3H4B2H2I", 0, 1, 1, 16, 16, 0, 0, 1, 32, len(picture), 22) + picture


def dib(width, height):
    return struct.pack("<IiiHHIIiiII", 40, width, 2 * height, 1, 8, 0, 0, 0, 0, 0, 0) + bytes(4096)


PLAIN_TAGS = {256: 10, 257: 10, 258: 8, 259: 1, 262: 1, 273: 8, 277: 1, 278: 10, 279: 100}


def tiff(tags, order="<", blob=b"", kind=7, copies=0):
    """A 10 x 10 TIFF with `tags`, and `copies` tags that all lead to the same `blob`."""
    word = {"<": b"II*\0", ">": b"MM\0*"}[order]
    count = len(tags) + copies
    start = 108 + 2 + 12 * count + 4
    entries = [struct.pack(f"{order}HHII", tag, 4, 1, value) for tag, value in tags.items()]
    size = {7: 1, 3: 2, 5: 8}[kind]
    entries += [
        struct.pack(f"{order}HHII", 40_000 + at, kind, len(blob) // size, start)
        for at in range(copies)
    ]
    directory = struct.pack(f"{order}H", count) + b"".join(entries) + bytes(4)
    return word + struct.pack(f"{order}I", 108) + bytes(100) + directory + blob


def tiled(order, edge):
    """A tile of `edge` x `edge` in a picture of 10 x 10."""
    packed = zlib.compress(bytes(edge * edge), 1)
    tags = PLAIN_TAGS | {259: 8, 322: edge, 323: edge, 324: 274, 325: len(packed)}
    del tags[273], tags[278], tags[279]
    made = tiff(dict(sorted(tags.items())), order)
    tags[324] = len(made)
    return tiff(dict(sorted(tags.items())), order) + packed


def boxed(size, said):
    """JPEG 2000 whose box says another size than its stream."""
    data = bytearray(compressed(size, "JPEG2000"))
    at = data.index(b"ihdr")
    data[at + 4 : at + 12] = struct.pack(">II", *said)
    return bytes(data)


def gif(screen, frame):
    head = b"GIF89a" + struct.pack("<HHBBB", *screen, 0x80, 0, 0) + bytes(6)
    return head + b"," + struct.pack("<HHHHB", 0, 0, *frame, 0) + b"\x02\x02\x4c\x01\0;"


BOMBS = {
    "deflated DICOM": lambda: deflated_bomb(300),
    "DICOM of runs": lambda: dicom(
        SQUARE[:, :8].astype(np.uint8), RLELossless, runs(ZEROS * 2_000_000)
    ),
    "DICOM of wide runs": lambda: dicom(
        np.zeros((1, 1), np.uint64), RLELossless, runs(*[ZEROS * 8000] * 8), (1000, 1000)
    ),
    "DICOM of many elements": lambda: many_elements(1_000_000),
    "DICOM of many items": lambda: with_elements(
        element(0x00291010, b"SQ", b"", 0xFFFFFFFF) + EMPTY_ITEM * 1_000_000 + END_OF_ITEMS
    ),
    "DICOM of many lookup tables": lambda: with_elements(
        element(0x00283010, b"SQ", EMPTY_ITEM * 500_000)
    ),
    "DICOM with a JPEG": lambda: dicom(
        SQUARE, JPEGBaseline8Bit, encapsulate([compressed((9000, 9000), "JPEG")])
    ),
    "DICOM with JPEG 2000": lambda: dicom(
        SQUARE, JPEG2000Lossless, encapsulate([compressed((3000, 3000), "JPEG2000")])
    ),
    "DICOM with JPEG-LS": lambda: dicom(
        SQUARE, JPEGLSLossless, encapsulate([jpeg_ls((60_000, 60_000))])
    ),
    "icon of a PNG": lambda: icon(png(9000, 9000, colour=6)),
    "icon of a bitmap": lambda: icon(dib(9000, 9000)),
    "tile": lambda: tiled("<", 12_000),
    "tile, the other way round": lambda: tiled(">", 12_000),
    "TIFF tags": lambda: tiff(PLAIN_TAGS, blob=bytes(MB), copies=300),
    "TIFF tags, the other way round": lambda: tiff(PLAIN_TAGS, ">", bytes(MB), copies=300),
    "TIFF numbers": lambda: tiff(PLAIN_TAGS, blob=bytes(12 * MB), kind=5, copies=1),
    "EXIF of a PNG": lambda: png(
        8, 8, chunk(b"eXIf", tiff(PLAIN_TAGS, blob=bytes(MB), copies=300))
    ),
    "GIF frame": lambda: gif((10, 10), (60_000, 60_000)),
    "PNG text": lambda: png(
        8, 8, *[chunk(b"zTXt", b"k\0\0" + zlib.compress(bytes(MB)))] * 200
    ),
    "PNG text at once": lambda: png(
        8, 8, chunk(b"iTXt", b"k\0\1\0\0\0" + zlib.compress(bytes(300 * MB), 1))
    ),
    "JPEG 2000 box": lambda: boxed((3000, 3000), (16, 16)),
}  # fmt: skip

# Allowed by the number of their pixels; each may take a dozen bytes of memory for a pixel.
EDGE = 4000
LARGE = {
    "grey": lambda: png(EDGE, EDGE),
    "deep grey": lambda: png(EDGE, EDGE, bits=16),
    "colour": lambda: png(EDGE, EDGE, colour=2),
    "transparent": lambda: png(EDGE, EDGE, colour=6),
    "DICOM": lambda: dicom(
        np.zeros((1, 1), np.uint16), RLELossless,
        runs(*[ZEROS * (EDGE * EDGE // 128)] * 2), (EDGE, EDGE), RescaleSlope=2, RescaleIntercept=1,
    ),
}  # fmt: skip

MEASURE = """
import json, os, sys, warnings
from pathlib import Path
import PIL.Image, pydicom, pydicom.pixels, numpy
from langchain_chroma_hybrid.embeddings.images.pictures import PicturePolicy, load
from langchain_chroma_hybrid.errors import PictureError
warnings.simplefilter("ignore")
PIL.Image.init()
limits = json.loads(sys.argv[2])
def peak():
    status = Path("/proc/self/status")  # of Linux
    return int(status.read_text().split("VmHWM:")[1].split()[0]) / 1024 if status.exists() else 0
def measure(path):
    data, before = path.read_bytes(), peak()
    try:
        said = load(data, PicturePolicy(**limits)).format
    except PictureError as error:
        said = "refused"
    print(json.dumps([path.name, said, peak() - before]), flush=True)
for path in sorted(Path(sys.argv[1]).iterdir()):
    # Each in a process of its own, whose peak begins with what it has then.
    child = os.fork() if hasattr(os, "fork") else None
    if child:
        os.waitpid(child, 0)
        continue
    measure(path)
    if child == 0:
        os._exit(0)
"""


def measured(makers, folder, **limits):
    """By name: what became of each picture, and how many MB that took."""
    for name, make in makers.items():
        (folder / name).write_bytes(make())
        assert (folder / name).stat().st_size < 16 * MB
    command = [sys.executable, "-c", MEASURE, str(folder), json.dumps(limits)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return {name: told for name, *told in map(json.loads, done.stdout.splitlines())}


@pytest.fixture(scope="module")
def bombs(tmp_path_factory):
    return measured(BOMBS, tmp_path_factory.mktemp("bombs"), **TIGHT)


@pytest.fixture(scope="module")
def large(tmp_path_factory):
    return measured(LARGE, tmp_path_factory.mktemp("large"))


@pytest.mark.parametrize("name", BOMBS)
def test_it_is_refused_before_it_grows(name, bombs):
    said, grown = bombs[name]
    assert said == "refused"
    assert grown < 160


@pytest.mark.parametrize("name", LARGE)
def test_a_picture_takes_little_more_than_its_pixels(name, large):
    said, grown = large[name]
    assert said in ("PNG", "DICOM")
    assert grown < 14 * EDGE * EDGE / MB


def test_the_limit_of_bytes_is_that_of_the_inflated_file():
    values = np.zeros((500, 500), np.uint16)
    data = dicom(values, DeflatedExplicitVRLittleEndian)
    assert len(data) < 2000
    assert load(data, PicturePolicy(max_bytes=501_000)).width == 500
    with pytest.raises(PictureError, match="inflated"):
        load(data, PicturePolicy(max_bytes=499_000))
    with pytest.raises(PictureError):
        load(data[:-20], PicturePolicy())


# What is no bomb


def seen(data):
    return np.asarray(load(data, PicturePolicy(**TIGHT)).image)[:, :, 0]


@pytest.mark.parametrize("syntax", [
    DeflatedExplicitVRLittleEndian, ExplicitVRLittleEndian, ExplicitVRBigEndian,
    ImplicitVRLittleEndian,
])  # fmt: skip
def test_every_plain_syntax_is_read(syntax):
    assert np.array_equal(seen(dicom(SQUARE, syntax)), np.arange(256).reshape(16, 16))


def test_compressed_frames_are_read():
    grey = np.arange(256, dtype=np.uint8).reshape(16, 16)
    literal = b"".join(bytes([127]) + grey.tobytes()[at : at + 128] for at in (0, 128))
    assert np.array_equal(seen(dicom(grey, RLELossless, runs(literal))), grey)
    lossless = io.BytesIO()
    Image.fromarray(grey).save(lossless, "JPEG2000", no_jp2=True)
    frames = encapsulate([lossless.getvalue()] * 3)
    assert np.array_equal(seen(dicom(grey, JPEG2000Lossless, frames, NumberOfFrames=3)), grey)
    lossy = encapsulate([compressed((16, 16), "JPEG")])
    assert seen(dicom(grey, JPEGBaseline8Bit, lossy)).shape == (16, 16)


def test_elements_of_every_kind_stand_before_the_pixels():
    more = element(0x00091010, b"OB", bytes(2 * MB)) + element(
        0x00291010, b"SQ", (EMPTY_ITEM * 500) + END_OF_ITEMS, 0xFFFFFFFF
    )
    assert np.array_equal(seen(with_elements(more)), np.arange(256).reshape(16, 16))


def test_a_window_is_shown_as_by_pydicom():
    window = {"WindowCenter": 30_000, "WindowWidth": 20_000}
    made = dicom(SQUARE, RescaleSlope=1, RescaleIntercept=-7, **window)
    found = pydicom.dcmread(io.BytesIO(made))
    shown = pydicom.pixels.apply_voi_lut(
        pydicom.pixels.apply_modality_lut(found.pixel_array, found), found
    )
    expected = (shown - shown.min()) * (255 / (shown.max() - shown.min()))
    assert np.array_equal(seen(made), expected.round().astype(np.uint8))


@pytest.mark.filterwarnings("ignore:The value length")
def test_a_long_description_is_cut():
    found = load(dicom(SQUARE, BodyPartExamined="CHEST " * 1000), PicturePolicy())
    assert len(found.about["body_part"]) < 100


@pytest.mark.parametrize("order", ["<", ">"])
def test_plain_tiffs_and_icons_are_read(order):
    assert load(tiff(PLAIN_TAGS, order, bytes(100), copies=1), PicturePolicy()).width == 10
    assert load(tiled(order, 512), PicturePolicy(**TIGHT)).width == 10
    assert load(icon(png(16, 16, colour=6)), PicturePolicy(**TIGHT)).format == "ICO"


def test_a_very_large_picture_waits_for_the_model_as_a_small_one():
    found = load(png(5000, 4000), PicturePolicy(), at_least=448)
    assert (found.width, found.height) == (5000, 4000)
    assert 448 <= min(found.image.size) < 900
    assert load(png(1000, 800), PicturePolicy(), at_least=100).image.size == (1000, 800)


def test_a_data_uri_is_measured_before_it_is_taken_apart():
    with pytest.raises(PictureError, match="at most 1000 bytes"):
        load("data:image/png," + "%41" * 5000, PicturePolicy(max_bytes=1000))
