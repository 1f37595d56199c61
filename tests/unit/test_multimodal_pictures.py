"""Pictures of every kind become upright RGB, or one clear error."""

import base64
import io
import os
import sys
import threading

import numpy as np
import pytest

from langchain_chroma_hybrid.embeddings.images.pictures import PicturePolicy, load
from langchain_chroma_hybrid.errors import InvalidArgumentError, PictureError

pytest.importorskip("PIL", reason="pictures need the extra `image`")
from PIL import Image

POLICY = PicturePolicy()


def encoded(image, kind="PNG", **options):
    target = io.BytesIO()
    image.save(target, kind, **options)
    return target.getvalue()


def colour(loaded):
    return loaded.image.getpixel((loaded.image.width // 2, loaded.image.height // 2))


RED = Image.new("RGB", (40, 30), (255, 0, 0))


@pytest.mark.parametrize("kind", ["PNG", "BMP", "TIFF", "PPM", "TGA", "GIF", "JPEG", "WEBP", "ICO"])
def test_every_common_format_is_read(kind):
    found = load(encoded(RED, kind), POLICY)
    assert found.format == kind
    assert found.image.mode == "RGB"
    assert np.abs(np.subtract(colour(found), (255, 0, 0))).max() < 6


@pytest.mark.parametrize("give", [
    lambda path: path,
    str,
    lambda path: path.as_uri(),
    lambda path: path.read_bytes(),
    lambda path: "data:image/png;base64," + base64.b64encode(path.read_bytes()).decode(),
    Image.open,
    lambda path: np.asarray(Image.open(path)),
])  # fmt: skip
def test_every_way_to_name_a_picture_gives_the_same_pixels(tmp_path, give):
    path = tmp_path / "a red one ü.png"
    RED.save(path)
    assert np.array_equal(np.asarray(load(give(path), POLICY).image), np.asarray(RED))


def test_cmyk_becomes_the_colour_that_is_seen():
    found = load(encoded(RED.convert("CMYK"), "JPEG"), POLICY)
    assert found.image.mode == "RGB"
    assert np.abs(np.subtract(colour(found), (255, 0, 0))).max() < 6


def test_deep_grey_keeps_its_shades():
    ramp = np.tile(np.linspace(100, 4000, 64).astype(np.uint16), (8, 1))
    found = np.asarray(load(encoded(Image.fromarray(ramp)), POLICY).image)
    assert found[0, 0].tolist() == [0, 0, 0]
    assert found[0, -1].tolist() == [255, 255, 255]
    assert (np.diff(found[0, :, 0].astype(int)) >= 0).all()
    assert len(np.unique(found)) > 50
    as_array = np.asarray(load(ramp, POLICY).image)
    assert np.array_equal(found, as_array)


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P"])
def test_what_is_transparent_is_white(mode):
    clear = Image.new("RGBA", (8, 8), (0, 0, 0, 0))
    image = clear.convert("LA") if mode == "LA" else clear
    data = encoded(clear.quantize(), "GIF", transparency=0) if mode == "P" else encoded(image)
    assert colour(load(data, POLICY)) == (255, 255, 255)


def test_a_turned_photograph_stands_upright():
    half = Image.new("RGB", (40, 20), (0, 0, 255))
    half.paste((255, 0, 0), (0, 0, 20, 20))
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was turned: show it a quarter turn clockwise
    found = load(encoded(half, "JPEG", exif=exif, quality=95), POLICY)
    assert found.image.size == (found.width, found.height) == (20, 40)
    top, bottom = found.image.getpixel((10, 5)), found.image.getpixel((10, 35))
    assert np.abs(np.subtract(top, (255, 0, 0))).max() < 60
    assert np.abs(np.subtract(bottom, (0, 0, 255))).max() < 60


def test_an_animation_gives_its_first_frame():
    frames = [Image.new("RGB", (8, 8), c) for c in ((255, 0, 0), (0, 0, 255))]
    data = encoded(frames[0], "GIF", save_all=True, append_images=frames[1:])
    assert colour(load(data, POLICY)) == (255, 0, 0)


def test_a_large_photograph_is_decoded_no_larger_than_needed_but_says_its_size():
    found = load(encoded(Image.new("RGB", (1600, 1200)), "JPEG"), POLICY, at_least=128)
    assert (found.width, found.height) == (1600, 1200)
    assert 128 <= min(found.image.size) < 300


def broken():
    whole = encoded(Image.effect_noise((64, 64), 90).convert("RGB"), "JPEG")
    yield "empty", b"", "empty file"
    yield "truncated", whole[: len(whole) // 2], "can be decoded"
    yield "not a picture", b"hello, I am a text" * 20, "can be decoded"
    yield "half a PNG", encoded(RED)[:60], "can be decoded"
    yield "Ghostscript", b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "can be decoded"
    yield "a web page", b"<svg xmlns='http://www.w3.org/2000/svg'/>", "can be decoded"


@pytest.mark.parametrize(("name", "data", "reason"), list(broken()))
def test_damaged_files_are_one_error_with_their_name(tmp_path, name, data, reason):
    path = tmp_path / f"{name}.jpg"
    path.write_bytes(data)
    with pytest.raises(PictureError, match=reason) as caught:
        load(path, POLICY)
    assert f"{name}.jpg" in str(caught.value)


def test_a_decompression_bomb_is_refused_before_it_is_decoded():
    bomb = encoded(Image.new("1", (20_000, 20_000)))
    assert len(bomb) < 100_000
    with pytest.raises(PictureError, match=r"20000 x 20000 pixels|decompression bomb"):
        load(bomb, POLICY)
    with pytest.raises(PictureError, match="40 x 30 pixels"):
        load(RED, PicturePolicy(max_pixels=1199))


def test_a_file_over_the_limit_is_refused(tmp_path):
    path = tmp_path / "large.png"
    path.write_bytes(encoded(RED))
    with pytest.raises(PictureError, match="at most 50 bytes"):
        load(path, PicturePolicy(max_bytes=50))


@pytest.mark.parametrize("uri", [
    "http://example.org/a.png", "https://example.org/a.png", "ftp://example.org/a.png",
    "s3://bucket/a.png", "gopher://x/", "file://server/share/a.png", "jar:file://x!/a.png",
])  # fmt: skip
def test_schemes_that_are_not_allowed(uri):
    with pytest.raises(PictureError) as caught:
        load(uri, POLICY)
    assert "a.png" in str(caught.value) or "gopher" in str(caught.value)


@pytest.mark.parametrize("uri", ["data:image/png;base64,@@@", "data:nothing", "data:,"])
def test_malformed_data_uris(uri):
    with pytest.raises(PictureError):
        load(uri, POLICY)


@pytest.mark.parametrize("value", [None, 5, 1.5, {"image": 1}, ["a.png"]])
def test_what_is_no_picture_at_all(value):
    with pytest.raises(InvalidArgumentError, match="path, URI, bytes"):
        load(value, POLICY)


@pytest.mark.parametrize("array", [
    np.zeros((4, 4, 2), np.uint8), np.zeros((4, 4, 3)), np.zeros(9, np.uint8), np.zeros((0, 4)),
    np.zeros((4, 4), complex),
])  # fmt: skip
def test_arrays_of_another_shape(array):
    with pytest.raises(InvalidArgumentError, match="array"):
        load(array, POLICY)


def test_no_such_file_and_folders(tmp_path):
    with pytest.raises(PictureError, match="existing file"):
        load(tmp_path / "lost.png", POLICY)
    with pytest.raises(PictureError, match="regular file"):
        load(tmp_path, POLICY)
    with pytest.raises(PictureError):
        load("a\0b.png", POLICY)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such files")
def test_a_pipe_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe.png")
    with pytest.raises(PictureError, match="regular file"):
        load(tmp_path / "pipe.png", POLICY)


@pytest.mark.parametrize("name", ["timeout", "max_bytes", "max_pixels"])
@pytest.mark.parametrize("value", [0, -1, True, "10"])
def test_limits_that_are_none(name, value):
    with pytest.raises(InvalidArgumentError, match=name):
        PicturePolicy(**{name: value})


def test_many_threads_read_at_once():
    data = [encoded(Image.new("RGB", (50, 50), (i, 0, 0))) for i in range(40)]
    found = {}

    def work(at):
        found[at] = colour(load(data[at], POLICY))[0]

    threads = [threading.Thread(target=work, args=(at,)) for at in range(40)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == {at: at for at in range(40)}


def dicom(values, photometric="MONOCHROME2"):
    pydicom = pytest.importorskip("pydicom", reason="DICOM needs the extra `dicom`")
    from pydicom.uid import ExplicitVRLittleEndian, SecondaryCaptureImageStorage, generate_uid

    made = pydicom.Dataset()
    made.file_meta = pydicom.dataset.FileMetaDataset()
    made.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    made.file_meta.MediaStorageSOPClassUID = SecondaryCaptureImageStorage
    made.file_meta.MediaStorageSOPInstanceUID = generate_uid()
    made.SOPClassUID, made.SOPInstanceUID = SecondaryCaptureImageStorage, generate_uid()
    made.PatientName, made.Modality, made.BodyPartExamined = "Doe^Jane", "CR", "CHEST"
    made.Rows, made.Columns = values.shape
    made.SamplesPerPixel, made.PhotometricInterpretation = 1, photometric
    made.BitsAllocated, made.BitsStored, made.HighBit, made.PixelRepresentation = 16, 12, 11, 0
    made.PixelData = values.astype(np.uint16).tobytes()
    target = io.BytesIO()
    made.save_as(target, enforce_file_format=True)
    return target.getvalue()


def test_dicom_is_shown_as_on_a_light_box_and_names_nobody():
    ramp = np.tile(np.linspace(0, 4000, 32), (16, 1))
    found = load(dicom(ramp), POLICY)
    assert (found.format, found.width, found.height) == ("DICOM", 32, 16)
    assert found.image.getpixel((0, 5)) == (0, 0, 0)
    assert found.image.getpixel((31, 5)) == (255, 255, 255)
    assert found.about == {"modality": "CR", "body_part": "CHEST"}
    inverted = load(dicom(ramp, "MONOCHROME1"), POLICY)
    assert inverted.image.getpixel((0, 5)) == (255, 255, 255)


def test_damaged_and_oversized_dicom():
    data = dicom(np.zeros((16, 32)))
    with pytest.raises(PictureError):
        load(data[:-100], POLICY)
    with pytest.raises(PictureError, match="32 x 16"):
        load(data, PicturePolicy(max_pixels=100))
