"""What is said in a video: found beside it or in a folder, read, and cut to scenes."""

from corridor_cli.transcripts.find import TranscriptFiles, TranscriptSource
from corridor_cli.transcripts.read import Transcript, load_transcript
from corridor_cli.transcripts.write import transcript_path, transcript_srt

__all__ = [
    "Transcript",
    "TranscriptFiles",
    "TranscriptSource",
    "load_transcript",
    "transcript_path",
    "transcript_srt",
]
