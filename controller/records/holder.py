"""The lease's document as the Holder it names. Pure."""

from collections.abc import Mapping
from typing import Any

from controller.records.ports import Holder


def read_holder(document: Mapping[str, Any]) -> Holder:
    """The holder in the document {_id: "lease"}; what a stranger wrote there reads as unknown."""
    return Holder(
        id=str(document.get("holder")),
        host=str(document.get("host")),
        pid=int(document.get("pid", 0)),
        verb=str(document.get("verb")),
        renewed=document["renewed"],
        released=bool(document.get("released")),
    )
