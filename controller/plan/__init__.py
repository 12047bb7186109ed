"""Pure: (manifests, records, live rooms, rules) -> Plan."""
