"""MongoDB: the room records, written by compare-and-set; the lease; the relay; the embedded server.

`open_store` and `open_lease` return what other packages know by the protocols in `ports`. Inside, a
write goes `store` -> `change` (what differs, what is compared) -> `batch` (group commit) -> `mongo_client`
(pymongo, errors); a full read goes through `codec` into `record_cache`.
"""

from controller.records.factory import open_lease, open_store

__all__ = ["open_lease", "open_store"]
