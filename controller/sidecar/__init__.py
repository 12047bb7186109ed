"""What answers HTTP: guests on the public listener, operators, API callers and LiveKit on the private one.

A request goes through http/ (limits, routing, the form of errors) to a handler in joining/ (public calls),
rooms/ (the private API), pages/, or operations.py. calls.py is the table of all calls: from it follow the
routes, the check of bodies, and the OpenAPI documents (openapi/). Participants are answered from
`StateCache`; callers of the private API from the records, which they change by writing what they want and
waiting for the reconciler. LiveKit is only read, never changed. server.py builds it all.
"""

from controller.sidecar.context import Context, ReconcilerHandle
from controller.sidecar.server import Sidecar

__all__ = ["Context", "ReconcilerHandle", "Sidecar"]
