"""What answers HTTP: guests on the public listener, operators, API callers and LiveKit on the private one.

A request goes through http/ (bounds, path, method, the form of failures) to joining/ (helpers and the door),
pages/, rooms/ (the private API), openapi/, which describes them all, or operations.py. Guests are answered
from `StateCache`; callers of the private API from the records, which they change by writing what they want
and waiting for the reconciler. LiveKit is only ever asked what there is, never told what to do. server.py
builds it all.
"""

from controller.sidecar.context import Context, ReconcilerHandle
from controller.sidecar.server import Sidecar

__all__ = ["Context", "ReconcilerHandle", "Sidecar"]
