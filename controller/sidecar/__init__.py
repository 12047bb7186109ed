"""What answers HTTP: guests on the public listener, operators, API callers and LiveKit on the private one.

A request goes protocol (bounds) -> site (path, method, form of failures) -> helpers, pages, rooms or ops, or
openapi, which describes them. Guests are answered from `Known`; callers of the private API from the records,
which they change by writing what they want and waiting for the reconciler (desire). LiveKit is only ever
asked what there is, never told what to do.
"""

from controller.sidecar.context import Backstage, Context
from controller.sidecar.server import Sidecar

__all__ = ["Backstage", "Context", "Sidecar"]
