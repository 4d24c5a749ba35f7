"""vlmtl: folders of video in, scene-by-scene timelines captioned by a vision-language model out."""

__version__ = "0.1.0"
