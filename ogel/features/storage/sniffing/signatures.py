"""How files of a kind begin."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from msgspec import Struct

# As much of a content as is looked at.
HEAD_BYTES = 4096


class Signature(Struct, frozen=True):
    """`type` has `begins` at the offset `at`, and `holds` at the offset `holds_at`."""

    type: str
    begins: bytes
    at: int = 0
    holds: bytes = b""
    holds_at: int = 0

    def fits(self, head: bytes) -> bool:
        return head.startswith(self.begins, self.at) and head.startswith(self.holds, self.holds_at)


# The first that fits counts.
SIGNATURES: Sequence[Signature] = (
    Signature("image/png", b"\x89PNG\r\n\x1a\n"),
    Signature("image/jpeg", b"\xff\xd8\xff"),
    Signature("image/gif", b"GIF87a"),
    Signature("image/gif", b"GIF89a"),
    Signature("image/webp", b"RIFF", holds=b"WEBP", holds_at=8),
    Signature("image/avif", b"\0\0\0", holds=b"ftypavif", holds_at=4),
    Signature("image/avif", b"\0\0\0", holds=b"ftypavis", holds_at=4),
    Signature("image/heic", b"\0\0\0", holds=b"ftyphei", holds_at=4),
    Signature("image/heic", b"\0\0\0", holds=b"ftyphev", holds_at=4),
    Signature("image/heic", b"\0\0\0", holds=b"ftypmif1", holds_at=4),
    Signature("image/heic", b"\0\0\0", holds=b"ftypmsf1", holds_at=4),
    Signature("image/tiff", b"II*\0"),
    Signature("image/tiff", b"MM\0*"),
    Signature("image/tiff", b"II+\0"),
    Signature("image/tiff", b"MM\0+"),
    Signature("image/bmp", b"BM", holds=b"\0\0", holds_at=6),
    Signature("image/x-icon", b"\0\0\x01\0"),
    Signature("image/x-icon", b"\0\0\x02\0"),
    Signature("image/vnd.adobe.photoshop", b"8BPS\0"),
    Signature("image/jxl", b"\xff\x0a"),
    Signature("image/jxl", b"\0\0\0\x0cJXL \r\n\x87\n"),
    Signature("image/jp2", b"\0\0\0\x0cjP  \r\n\x87\n"),
    Signature("image/jp2", b"\xff\x4f\xff\x51"),
    Signature("video/mp4", b"\0\0\0", holds=b"ftyp", holds_at=4),
    *(
        Signature("video/quicktime", b"\0", holds=each, holds_at=4)
        for each in (b"moov", b"wide", b"free", b"skip", b"pnot")
    ),
    Signature("video/quicktime", b"mdat", at=4),
    Signature("video/webm", b"\x1a\x45\xdf\xa3"),
    Signature("video/x-msvideo", b"RIFF", holds=b"AVI ", holds_at=8),
    Signature("video/mpeg", b"\0\0\x01\xba"),
    Signature("video/mpeg", b"\0\0\x01\xb3"),
    Signature("video/x-flv", b"FLV\x01"),
    Signature("video/x-ms-wmv", b"\x30\x26\xb2\x75\x8e\x66\xcf\x11"),
    Signature("audio/wav", b"RIFF", holds=b"WAVE", holds_at=8),
    *(Signature("audio/mpeg", b"ID3" + version) for version in (b"\2", b"\3", b"\4")),
    *(Signature("audio/mpeg", b"\xff" + each) for each in (b"\xfb", b"\xfa", b"\xf3", b"\xf2", b"\xe3")),
    Signature("audio/aac", b"\xff\xf1"),
    Signature("audio/aac", b"\xff\xf9"),
    Signature("audio/aac", b"ADIF"),
    Signature("audio/ogg", b"OggS"),
    Signature("audio/flac", b"fLaC"),
    Signature("audio/midi", b"MThd\0"),
    Signature("audio/aiff", b"FORM", holds=b"AIF", holds_at=8),
    Signature("application/pdf", b"%PDF-"),
    Signature("application/postscript", b"%!PS"),
    Signature("application/postscript", b"\xc5\xd0\xd3\xc6"),
    Signature("application/rtf", b"{\\rtf"),
    Signature("application/zip", b"PK\x03\x04"),
    Signature("application/zip", b"PK\x05\x06"),
    Signature("application/gzip", b"\x1f\x8b\x08"),
    Signature("application/x-bzip2", b"BZh", holds=b"1AY&SY", holds_at=4),
    Signature("application/x-xz", b"\xfd7zXZ\0"),
    Signature("application/zstd", b"\x28\xb5\x2f\xfd"),
    Signature("application/x-7z-compressed", b"7z\xbc\xaf\x27\x1c"),
    Signature("application/vnd.rar", b"Rar!\x1a\x07"),
    Signature("application/x-tar", b"ustar", at=257),
    Signature("application/x-ole-storage", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"),
    Signature("application/vnd.sqlite3", b"SQLite format 3\0"),
    Signature("application/wasm", b"\0asm"),
    Signature("application/x-msdownload", b"MZ", holds=b"\0\0", holds_at=28),
    Signature("application/x-elf", b"\x7fELF"),
    Signature("application/x-mach-binary", b"\xcf\xfa\xed\xfe"),
    Signature("application/x-mach-binary", b"\xca\xfe\xba\xbe"),
    Signature("font/woff2", b"wOF2"),
    Signature("font/woff", b"wOFF"),
    Signature("font/otf", b"OTTO\0"),
    Signature("font/ttf", b"\0\x01\0\0"),
    Signature("font/ttf", b"true\0"),
    Signature("font/ttf", b"ttcf\0"),
)

# Other names of types, as senders write them, and what is packed in a file of that type; `x/` stands for all of them.
SAME: Mapping[str, Sequence[str]] = {
    "image/jpeg": ("image/jpg", "image/pjpeg"),
    "image/heic": ("image/heif", "image/heic-sequence", "image/heif-sequence", "image/avif"),
    "image/tiff": ("image/x-adobe-dng", "image/x-canon-cr2", "image/x-nikon-nef", "image/x-sony-arw", "image/dng"),
    "image/bmp": ("image/x-ms-bmp", "image/x-bmp"),
    "image/x-icon": ("image/vnd.microsoft.icon", "image/ico"),
    "image/vnd.adobe.photoshop": ("image/x-photoshop", "application/x-photoshop", "application/photoshop"),
    "image/jp2": ("image/jpx", "image/jpm"),
    "video/mp4": (
        "audio/mp4", "audio/x-m4a", "audio/m4a", "audio/aac", "application/mp4", "video/quicktime", "video/3gpp",
        "video/3gpp2", "audio/3gpp", "video/x-m4v", "image/avif", "image/heic", "image/heif", "image/x-canon-cr3",
    ),
    "video/quicktime": ("video/mp4",),
    "video/webm": ("audio/webm", "video/x-matroska", "audio/x-matroska", "video/matroska", "audio/matroska"),
    "video/x-msvideo": ("video/avi", "video/msvideo", "video/vnd.avi"),
    "video/mpeg": ("video/mp2p", "video/x-mpeg"),
    "video/x-ms-wmv": ("video/x-ms-asf", "audio/x-ms-wma", "application/vnd.ms-asf"),
    "audio/wav": ("audio/x-wav", "audio/wave", "audio/vnd.wave", "audio/x-pn-wav"),
    "audio/mpeg": (
        "audio/mp3", "audio/x-mpeg", "audio/x-mp3", "audio/mpeg3", "audio/aac", "audio/flac", "audio/x-flac",
    ),
    "audio/aac": ("audio/x-aac", "audio/aacp", "audio/mpeg"),
    "audio/ogg": ("video/ogg", "application/ogg", "audio/opus", "audio/vorbis", "audio/flac"),
    "audio/flac": ("audio/x-flac",),
    "audio/midi": ("audio/x-midi", "audio/mid"),
    "audio/aiff": ("audio/x-aiff",),
    "application/pdf": ("application/x-pdf", "application/illustrator", "application/vnd.adobe.illustrator"),
    "application/postscript": ("application/eps", "image/x-eps", "application/illustrator"),
    "application/rtf": ("text/rtf", "application/msword"),
    "application/zip": (
        "application/x-zip", "application/x-zip-compressed", "application/java-archive", "application/epub+zip",
        "application/vnd.", "application/x-", "model/",
    ),
    "application/gzip": (
        "application/x-gzip", "application/x-tar", "application/x-tgz", "application/x-compressed-tar",
        "application/x-gtar", "application/x-compressed", "application/x-gtar-compressed", "image/svg+xml",
    ),
    "application/x-bzip2": ("application/x-bzip", "application/bzip2"),
    "application/x-xz": ("application/xz",),
    "application/zstd": ("application/x-zstd",),
    "application/x-7z-compressed": ("application/x-7zip", "application/7z"),
    "application/vnd.rar": ("application/x-rar-compressed", "application/x-rar", "application/rar"),
    "application/x-tar": ("application/tar", "application/x-gtar", "application/x-ustar"),
    "application/x-ole-storage": (
        "application/msword", "application/vnd.ms-", "application/x-msi", "application/vnd.visio",
        "application/x-hwp", "application/vnd.hancom.hwp", "image/vnd.fpx", "application/vnd.openxmlformats-",
    ),
    "application/vnd.sqlite3": ("application/x-sqlite3", "application/sqlite", "application/geopackage+sqlite3"),
    "application/x-msdownload": (
        "application/x-msdos-program", "application/vnd.microsoft.portable-executable", "application/x-dosexec",
        "application/exe", "application/x-exe", "application/x-ms-dos-executable",
    ),
    "application/x-elf": ("application/x-executable", "application/x-sharedlib", "application/x-object"),
    "application/x-mach-binary": ("application/java-vm", "application/x-java-vm"),
    "font/woff2": ("application/font-woff2", "application/x-font-woff2"),
    "font/woff": ("application/font-woff", "application/x-font-woff"),
    "font/otf": ("font/sfnt", "application/x-font-otf", "application/vnd.ms-opentype", "font/opentype"),
    "font/ttf": ("font/sfnt", "application/x-font-ttf", "application/font-sfnt", "application/x-font-truetype"),
}  # fmt: skip

# What begins in a way of its own, though other types do, too.
PACKED = (
    "application/vnd.openxmlformats-", "application/vnd.oasis.opendocument.", "application/vnd.android.package-archive",
)  # fmt: skip
# What began otherwise once.
LOOSE = frozenset({"application/x-tar", "application/tar", "application/x-gtar", "application/msword"})
