"""CZI as Zeiss' library writes it, LIF written by hand as LAS does; their libraries are extras."""

import struct

import numpy as np
import pytest

from awd_cme.movies.open import open_movie
from awd_cme.movies.vendors import LIBRARIES
from awd_cme.readers.source import recognise_source
from movie_files import assert_holds, some_frames

FRAMES = some_frames((4, 2, 12, 14))


@pytest.mark.parametrize("ending", list(LIBRARIES))
def test_what_is_missing_or_damaged_is_told(tmp_path, ending):
    path = tmp_path / f"cell1_2s{ending}"
    with pytest.raises(FileNotFoundError, match="there is no file"):
        open_movie(path)
    path.write_bytes(b"nothing of the kind" * 20)
    with pytest.raises(
        (ValueError, ImportError), match=rf"cell1_2s\{ending} is (truncated or damaged|read by {LIBRARIES[ending]})"
    ):
        open_movie(path)
    assert recognise_source(tmp_path).cells == {"cell1": path}


def test_czi(tmp_path):
    czi = pytest.importorskip("pylibCZIrw.czi")
    path = tmp_path / "cell1.czi"
    with czi.create_czi(str(path)) as file:
        for t in range(4):
            for c in range(2):
                file.write(data=FRAMES[t, c], plane={"T": t, "C": c, "Z": 0})
        file.write_metadata("cell", {0: "TagRFP", 1: "EGFP"}, scale_x=0.108e-6, scale_y=0.108e-6)
    movie = open_movie(path)
    assert_holds(movie, FRAMES)
    assert movie.channels == ("TagRFP", "EGFP")
    assert movie.micrometres_per_pixel == pytest.approx(0.108)
    np.testing.assert_array_equal(movie.file.open().frame(3, 1), FRAMES[3, 1])


def lif(path, frames, names=("Series001",), seconds=2.0):
    """A file of one or more images (t, c, y, x) of 16 bits, channels apart within each frame."""
    count, channels, height, width = frames.shape
    plane = 2 * height * width
    spans = [(1, width, 0.1e-6 * (width - 1), "m", 2), (2, height, 0.1e-6 * (height - 1), "m", 2 * width)]
    spans += [(4, count, seconds * (count - 1), "s", plane * channels)]
    dims = "".join(
        f'<DimensionDescription DimID="{n}" NumberOfElements="{size}" Origin="0" Length="{length}" Unit="{unit}" '
        f'BytesInc="{step}" BitInc="0"/>'
        for n, size, length, unit, step in spans
    )
    described = "".join(
        '<ChannelDescription DataType="0" ChannelTag="0" Resolution="16" NameOfMeasuredQuantity="" Min="0" '
        f'Max="65535" Unit="" LUTName="Green" IsLUTInverted="0" BytesInc="{plane * c}" BitInc="0"/>'
        for c in range(channels)
    )
    images = "".join(
        f'<Element Name="{name}"><Data><Image><ImageDescription><Channels>{described}</Channels><Dimensions>{dims}'
        f"</Dimensions></ImageDescription></Image></Data>"
        f'<Memory Size="{frames.nbytes}" MemoryBlockID="Mem{k}"/></Element>'
        for k, name in enumerate(names)
    )
    xml = f'<Element Name="a"><Children>{images}</Children></Element>'
    xml = f'<LMSDataContainerHeader Version="2">{xml}</LMSDataContainerHeader>'
    text = xml.encode("utf-16-le")
    with path.open("wb") as file:
        file.write(struct.pack("<IIBI", 0x70, len(text) + 5, 0x2A, len(xml)) + text)
        for k in range(len(names)):
            told = f"Mem{k}".encode("utf-16-le")
            head = struct.pack("<IIBQBI", 0x70, 14 + len(told), 0x2A, frames.nbytes, 0x2A, len(f"Mem{k}"))
            file.write(head + told + (frames + k).astype("<u2").tobytes())
    return path


def test_lif(tmp_path):
    pytest.importorskip("liffile")
    movie = open_movie(lif(tmp_path / "cell1.lif", FRAMES))
    assert_holds(movie, FRAMES)
    assert movie.seconds_per_frame == pytest.approx(2.0)
    assert movie.micrometres_per_pixel == pytest.approx(0.1)
    both = lif(tmp_path / "two.lif", FRAMES, ("Series001", "Series002"))
    with pytest.raises(ValueError, match=r"holds 2 images \(Series001, Series002\); .*--series 0"):
        open_movie(both)
    assert_holds(open_movie(both, series=1), FRAMES + 1)
