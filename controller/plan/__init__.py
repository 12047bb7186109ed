"""Pure: (manifests, records, live rooms, rules) -> Plan."""

from controller.plan.model import Observed, Plan, PlanInputs, RoomChange
from controller.plan.planner import make_plan, names_to_check

__all__ = ["Observed", "Plan", "PlanInputs", "RoomChange", "make_plan", "names_to_check"]
