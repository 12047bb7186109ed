"""Pure: (manifests, records, live rooms, rules) -> Plan."""

from controller.plan.model import Observed, Plan, RoomChange, Rules
from controller.plan.planner import make_plan, names_to_look_at

__all__ = ["Observed", "Plan", "RoomChange", "Rules", "make_plan", "names_to_look_at"]
