"""The nouns: one frozen record for each hand-over between rooms and processes.

Nothing here reads, decides or writes. Times are exact `Fraction` seconds on the video's own axis (PTS minus
the first PTS); ranges are half-open `[start, end)`; frame indices are ordinals in presentation order.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from corridor_cli.records.captions import (
    BatchStarted,
    BatchStats,
    Caption,
    CaptionTiming,
    EngineInfo,
    Fatal,
    FinishReason,
    Generation,
    Request,
    RequestKey,
)
from corridor_cli.records.common import ErrorInfo, FrameRef, Planes, Role
from corridor_cli.records.cuts import Cut, CutRow, CutSource, GivenCuts
from corridor_cli.records.media import (
    BareFrame,
    PlanesFrame,
    ReaderChoice,
    ScanFrame,
    SparseFrame,
    StepKind,
    StreamFacts,
    VideoInfo,
)
from corridor_cli.records.scenes import Boundary, FrameScore, Pick, Scene, Transition
from corridor_cli.records.speech import Listened, ListenerReady, Listening, ListenJob, SpokenLine
from corridor_cli.records.work import (
    PickedFrame,
    ProbeJob,
    Progress,
    ScanEnd,
    ScanJob,
    SceneFrames,
    ScoreRows,
    SlotsFreed,
    VideoOpened,
    VideoProbed,
    WantedPick,
)

if TYPE_CHECKING:
    from corridor_cli.records.common import Pixels

__all__ = [
    "BareFrame",
    "BatchStarted",
    "BatchStats",
    "Boundary",
    "Caption",
    "CaptionTiming",
    "Cut",
    "CutRow",
    "CutSource",
    "EngineInfo",
    "ErrorInfo",
    "Fatal",
    "FinishReason",
    "FrameRef",
    "FrameScore",
    "Generation",
    "GivenCuts",
    "ListenJob",
    "Listened",
    "ListenerReady",
    "Listening",
    "Pick",
    "PickedFrame",
    "Pixels",
    "Planes",
    "PlanesFrame",
    "ProbeJob",
    "Progress",
    "ReaderChoice",
    "Request",
    "RequestKey",
    "Role",
    "ScanEnd",
    "ScanFrame",
    "ScanJob",
    "Scene",
    "SceneFrames",
    "ScoreRows",
    "SlotsFreed",
    "SparseFrame",
    "SpokenLine",
    "StepKind",
    "StreamFacts",
    "Transition",
    "VideoInfo",
    "VideoOpened",
    "VideoProbed",
    "WantedPick",
]
