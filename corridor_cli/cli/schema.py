"""`vlmtl schema`: the JSON Schema of the timeline document."""

from __future__ import annotations

from corridor_cli.cli.results import show


def schema() -> None:
    """Print the JSON Schema of the timeline document."""
    import json

    from corridor_cli.timeline.schema import timeline_json_schema

    show(json.dumps(timeline_json_schema(), indent=2))
