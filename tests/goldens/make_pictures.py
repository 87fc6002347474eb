#!/usr/bin/env python3
"""Writes tests/goldens/pictures/: small files of every kind that io decodes, and expected.bin, the RGB
values that Pillow gives for them (for each file its name in 32 bytes, then 16 x 24 x 3 pixels). Made with Pillow 9.4.0 and NumPy 1.24.2; run it from anywhere:

    python3 tests/goldens/make_pictures.py
"""
import pathlib
import struct
import zlib

import numpy as np
from PIL import Image

OUT = pathlib.Path(__file__).parent / "pictures"
OUT.mkdir(exist_ok=True)
WIDTH, HEIGHT = 24, 16


def scene():
    """Smooth colours, so that JPEG keeps them, without any symmetry."""
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH]
    r = 20 + 9 * x
    g = 30 + 12 * y
    b = 230 - 5 * x - 5 * y
    return Image.fromarray(np.stack([r, g, b], -1).astype(np.uint8), "RGB")


def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png16():
    """RGB with 16 bits a sample, which Pillow reads but does not write."""
    a = np.asarray(scene()).astype(np.uint16) * 256 + 77
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in a)
    header = struct.pack(">IIBBBBB", WIDTH, HEIGHT, 16, 2, 0, 0, 0)
    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows))
            + chunk(b"IEND", b""))


def without_adobe(data):
    at = data.index(b"\xff\xee")
    return data[:at] + data[at + 2 + struct.unpack(">H", data[at + 2:at + 4])[0]:]


def ycck(data):
    """The same samples under another name: YCbCr read from what is C, M, Y."""
    at = data.index(b"Adobe") + 11
    return data[:at] + b"\x02" + data[at + 1:]


def main():
    rgb = scene()
    jpeg = dict(quality=95, subsampling=0)
    rgb.save(OUT / "rgb.jpg", **jpeg)
    rgb.save(OUT / "progressive.jpg", quality=95, progressive=True)
    rgb.save(OUT / "subsampled.jpg", quality=95, subsampling=2)
    rgb.convert("L").save(OUT / "grey.jpg", quality=95)
    inks = list(rgb.convert("CMYK").split())
    inks[3] = rgb.getchannel("R").point(lambda v: v // 2)
    Image.merge("CMYK", inks).save(OUT / "cmyk.jpg", **jpeg)
    cmyk = (OUT / "cmyk.jpg").read_bytes()
    (OUT / "cmyk_without_adobe.jpg").write_bytes(without_adobe(cmyk))
    (OUT / "ycck.jpg").write_bytes(ycck(cmyk))
    rgb.save(OUT / "rgb.png")
    rgb.convert("L").save(OUT / "grey.png")
    rgb.quantize(64).save(OUT / "palette.png")
    rgb.convert("1").save(OUT / "bits.png")
    alpha = rgb.copy()
    alpha.putalpha(Image.linear_gradient("L").resize(rgb.size))
    alpha.save(OUT / "alpha.png")
    (OUT / "rgb16.png").write_bytes(png16())
    rgb.save(OUT / "rgb.bmp")
    rgb.quantize(64).save(OUT / "palette.bmp")
    rgb.quantize(64).save(OUT / "first.gif", save_all=True,
                          append_images=[rgb.rotate(180).quantize(64)])
    for orientation in range(1, 9):
        exif = Image.Exif()
        exif[0x0112] = orientation
        rgb.save(OUT / f"exif{orientation}.jpg", exif=exif, **jpeg)
    exif = Image.Exif()
    exif[0x0112] = 6
    rgb.save(OUT / "exif6.png", exif=exif)

    expected = b""
    paths = [p for p in sorted(OUT.iterdir()) if p.suffix in (".jpg", ".png", ".bmp", ".gif")]
    for path in paths:
        pixels = np.asarray(Image.open(path).convert("RGB"))
        assert pixels.shape == (HEIGHT, WIDTH, 3), path
        expected += path.name.encode().ljust(32, b"\0") + pixels.tobytes()
    (OUT / "expected.bin").write_bytes(expected)
    print(f"{len(paths)} pictures in {OUT}")


if __name__ == "__main__":
    main()
