"""Files that ask for other files, addresses or devices: nothing but the file itself is ever opened.

Each holds a canary: another good video, which must not be seen, by result and by what the system was asked.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import struct
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from corridor_cli.errors import MediaError, NotVideoError
from corridor_cli.media.open_reader import open_reader
from corridor_cli.media.probe import probe
from corridor_cli.settings import DecodeSettings
from tests import clips

Clip = Callable[[str], Path]
MAX = 8192 * 8192
ROOT = Path(__file__).parents[2]

SDP = "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=-\nc=IN IP4 127.0.0.1\nt=0 0\nm=video 5004 RTP/AVP 96\n"
DASH = '<?xml version="1.0"?><MPD><Period><BaseURL>file://{0}</BaseURL></Period></MPD>'
SCRIPTS = {
    "an HLS playlist": clips.PLAYLIST,
    "an HLS playlist of bytes": "#EXTM3U\n#EXT-X-BYTERANGE:100@0\n#EXTINF:1,\nfile://{0}\n#EXT-X-ENDLIST\n",
    "an HLS playlist with a key": '#EXTM3U\n#EXT-X-KEY:METHOD=AES-128,URI="file://{0}"\n#EXTINF:1,\nx.ts\n',
    "a concat script": clips.CONCAT_SCRIPT,
    "a concat script behind a blank line": "\n\nffconcat version 1.0\nfile '{0}'\n",
    "a session description": SDP,
    "a DASH manifest": DASH,
    "a concat address": "concat:{0}|{0}",
    "a data address": "data:text/plain;base64,AAAA",
    "a subtitle": "WEBVTT\n\n00:00.000 --> 00:01.000\n{0}\n",
    "an image sequence": "image2:{0}",
    "an Avisynth script": 'DirectShowSource("{0}")\n',
    "a lavfi graph": "movie={0}",
    "a playlist of names": "{0}\n{0}\n",
}


@pytest.mark.parametrize("kind", list(SCRIPTS))
@pytest.mark.parametrize("extension", ["mp4", "m3u8", "sdp", "ffconcat", "avs", "txt"])
def test_a_script_is_no_video_whatever_it_is_called(
    tmp_path: Path, clip: Clip, kind: str, extension: str
) -> None:
    script = tmp_path / f"script.{extension}"
    script.write_text(SCRIPTS[kind].format(clip("h264.ts")))
    with pytest.raises(NotVideoError):
        probe(script, max_pixels=MAX)


def mp4_with_reference(target: Path, video: Path, canary: Path) -> Path:
    """An MP4 whose media is said to lie in another file: its data reference is an alias with that path."""
    data = video.read_bytes()
    at = data.index(b"dref") - 4
    name = str(canary).encode()
    location = name + b"\0"
    # An alias record as QuickTime writes it; type 2 and 18 hold the absolute path.
    parts = struct.pack(">hH", 2, len(name)) + name + b"\0" * (len(name) % 2)
    parts += struct.pack(">hH", 18, len(name)) + name + b"\0" * (len(name) % 2) + struct.pack(">hH", -1, 0)
    alias = struct.pack(">IHH", 0, 150 + len(parts), 2) + b"\0" * 138 + b"\0\0\0\0" + parts
    entry = struct.pack(">I4sI", 12 + len(alias), b"alis", 0) + alias
    url = struct.pack(">I4sI", 12 + len(location), b"url ", 0) + b"file://" + location
    dref = struct.pack(">I4sII", 16 + len(entry) + len(url), b"dref", 0, 2) + entry + url
    old = struct.unpack(">I", data[at : at + 4])[0]
    grown = len(dref) - old
    changed = bytearray(data[:at] + dref + data[at + old :])
    # Every box around it is that much longer; the index lies behind the pictures, so no offset changes.
    for box in (b"moov", b"trak", b"mdia", b"minf", b"dinf"):
        place = changed.rindex(box, 0, at) - 4
        length = struct.unpack(">I", changed[place : place + 4])[0]
        changed[place : place + 4] = struct.pack(">I", length + grown)
    target.write_bytes(changed)
    return target


def mkv_with_link(target: Path, video: Path, canary: Path) -> Path:
    """A Matroska file that says another one comes before and after it (segment linking by name and id)."""
    data = bytearray(video.read_bytes())
    at = data.index(b"\x15\x49\xa9\x66")  # Info
    name = canary.name.encode()
    links = b"\x3c\xb9\x23" + bytes([0x90]) + b"\x11" * 16  # PrevUID
    links += b"\x3e\xb9\x23" + bytes([0x90]) + b"\x22" * 16  # NextUID
    links += b"\x3e\x83\xbb" + bytes([0x80 | len(name)]) + name  # NextFilename
    links += b"\x3c\x83\xab" + bytes([0x80 | len(name)]) + name  # PrevFilename
    info_size_bytes = 9 - data[at + 4].bit_length()
    start = at + 4 + info_size_bytes
    size = int.from_bytes(data[at + 4 : start], "big") & ((1 << 7 * info_size_bytes) - 1)
    new = (size + len(links) | 1 << 7 * info_size_bytes).to_bytes(info_size_bytes, "big")
    target.write_bytes(data[: at + 4] + new + links + data[start:])
    return target


def read_count(path: Path) -> int:
    """How many frames come before the end or an error."""
    reader = open_reader(path, DecodeSettings(), for_picks=False)
    count = 0
    with contextlib.suppress(MediaError):
        for _ in reader.read_frames():
            count += 1
    reader.close()
    return count


TRACE = ("strace", "-f", "-qq", "-e", "trace=open,openat,connect,socket", "-o")
HIDERS = {"mp4": ("h264.mp4", mp4_with_reference), "mkv": ("h264.mkv", mkv_with_link)}
READ = """
import sys
from pathlib import Path
from corridor_cli.errors import MediaError
from corridor_cli.media.open_reader import open_reader
from corridor_cli.settings import DecodeSettings
try:
    reader = open_reader(Path(sys.argv[1]), DecodeSettings(), for_picks=False)
    print(len(list(reader.read_frames())))
except MediaError as error:
    print(type(error).__name__)
"""


@pytest.mark.parametrize("kind", list(HIDERS))
@pytest.mark.skipif(shutil.which("strace") is None, reason="strace shows what is opened")
def test_a_file_that_points_to_another_is_read_alone(tmp_path: Path, clip: Clip, kind: str) -> None:
    name, hide = HIDERS[kind]
    canary = tmp_path / f"canary.{kind}"
    shutil.copy(clip(name), canary)
    path = hide(tmp_path / f"pointing.{kind}", clip(name), canary)
    trace = tmp_path / "trace"
    done = subprocess.run(
        [*TRACE, trace, sys.executable, "-c", READ, str(path)],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
    )
    asked = trace.read_text(errors="replace")
    assert str(path) in asked
    assert "canary" not in asked
    assert not re.findall(r"(?:connect|socket)\(", asked)
    assert done.stdout.strip() in ("70", "NoFramesError", "DamagedError"), done.stdout


@pytest.mark.skipif(shutil.which("strace") is None, reason="strace shows what is opened")
def test_the_canary_is_one(tmp_path: Path, clip: Clip) -> None:
    """FFmpeg told to follow references does open it: the test above could fail."""
    canary = tmp_path / "canary.mp4"
    shutil.copy(clip("h264.mp4"), canary)
    path = mp4_with_reference(tmp_path / "pointing.mp4", clip("h264.mp4"), canary)
    follow = (
        f"import av; av.open('{path}', container_options={{'enable_drefs': '1', 'use_absolute_path': '1'}})"
    )
    trace = tmp_path / "trace"
    subprocess.run([*TRACE, trace, sys.executable, "-c", follow], check=True)
    assert f'"{canary}", O_RDONLY' in trace.read_text(errors="replace")


def test_an_opendml_index_that_leads_out_of_the_file_ends_in_it(tmp_path: Path, clip: Clip) -> None:
    data = bytearray(clip("mpeg4.avi").read_bytes())
    at = data.index(b"strf") + 8 + 40
    super_index = b"indx" + struct.pack("<IHBBI4s", 24 + 16, 4, 0, 0, 1, b"00dc") + b"\0" * 12
    super_index += struct.pack("<QII", 1 << 40, 1 << 20, 100)
    data[at:at] = super_index
    for name in (b"strl", b"hdrl"):
        place = data.index(name) - 4
        length = struct.unpack("<I", data[place : place + 4])[0]
        data[place : place + 4] = struct.pack("<I", length + len(super_index))
    path = tmp_path / "a.avi"
    path.write_bytes(data)
    assert read_count(path) <= 70


def test_links_and_devices_are_refused_by_name(tmp_path: Path) -> None:
    loop = tmp_path / "loop.mp4"
    loop.symlink_to(loop)
    with pytest.raises(MediaError, match="too many levels of symbolic links"):
        probe(loop, max_pixels=MAX)
    for device in ("/dev/zero", "/dev/full", "/dev/null"):
        link = tmp_path / f"{Path(device).name}.mp4"
        link.symlink_to(device)
        with pytest.raises(MediaError, match="is a character device, not a regular file"):
            probe(link, max_pixels=MAX)
    (tmp_path / "gone.mp4").symlink_to(tmp_path / "nowhere")
    with pytest.raises(MediaError, match="does not exist"):
        probe(tmp_path / "gone.mp4", max_pixels=MAX)
