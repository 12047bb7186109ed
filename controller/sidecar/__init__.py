"""The HTTP servers: the public one for guests, the private one for operators, API callers and LiveKit.

A request goes through http/ (limits, routing, the form of errors) to a handler in joining/ (public calls),
rooms/ (the private API), pages/, or operations.py. calls.py is the table of all calls: the
routes, the check of bodies and the OpenAPI documents (openapi.py) are derived from it. Participants get
answers from `StateCache`, callers of the private API from the records: a call writes the desired state and
waits for the reconciler. LiveKit is only read, never changed. server.py builds it all.
"""

from controller.sidecar.context import Context, ReconcilerHandle
from controller.sidecar.server import Sidecar

__all__ = ["Context", "ReconcilerHandle", "Sidecar"]
