"""roomctl: room manifests in git become live rooms on LiveKit, and stay so.

A walk through the house, along the way of one manifest. `rooms.d/standup.yaml` is committed, merged, and
pulled onto the machine where `roomctl run` is at work (cli/run.py, daemon.py; app.py builds the parts):

    name: Team standup
    preset: standard-team

1. Waking. manifests/watch.py sees that something below rooms.d changed, and marks it in
   reconcile/triggers.py. A trigger carries no facts: a webhook (sidecar/operations.py, proven by
   live/webhook.py) or the resync timer would have woken the same pass. A webhook that reached a replica
   which stands by comes through the database (reconcile/webhook_forwarding.py, records/relay.py).
   reconcile/loop.py runs pass after pass, and outlives whatever goes wrong in one.

2. Reading. reconcile/observe.py gathers the three worlds, in this order: ListRooms (live/client.py, made
   into frozen data by live/wire.py), the records (records/store.py, which asks for one number, and reads
   the rooms again only where that has moved), and rooms.d. There manifests/load.py takes one snapshot:
   files.py finds the files, document.py reads YAML from its events, fields.py makes the entries a RoomSpec
   (room.py), parse.py and claims.py say who claims which key and id. Ours has the key `standup`. What is
   wrong becomes an error with its place, in the same `Desired` as the rooms that are right: an error
   never reads as 'room absent'.

3. Deciding. plan/ is pure: (manifests, records, live rooms, rules) -> one frozen Plan for all rooms.
   plan/ownership.py says whose each live room is, so that nothing after it can touch what is foreign.
   plan/matching.py finds the record for each manifest: none has our key, so the room is new, and its id
   follows from the key (room.py: room_id). plan/planner.py says what each room needs, here Create and
   Start; plan/guards.py refuses removals that look like a mistake, and defers what would cut people off;
   plan/maintenance.py adds the housekeeping. `roomctl plan` (one_shot.py) ends here, with plan/render.py.

4. Acting, only while the lease is held (records/lease.py, asked by reconcile/fenced_writer.py before each
   call). reconcile/task_runner.py gives our room a task of its own, which fails and is tried again without
   delaying another. reconcile/change_applier.py does what the plan says: first one write, the record with its
   fresh LiveKit name already in it (records/batch.py sends it along with those of all other rooms), then
   CreateRoom under that name. A crash between any two lines there leaves something that step 3 puts right.

5. Saying. reconcile/status.py makes conditions of what came of it, and reconcile/status_writer.py writes
   them, with the sid, into the record, once. `roomctl wait` sees Ready, for this very spec, and exits 0;
   `roomctl get` shows it.

6. Serving. The new live room stands in state_cache.py, what this process knows, since CreateRoom answered.
   From there sidecar/joining/ lets people in: join_handlers.py answers findLKRoomNameById; createToken goes
   through admission.py: its checks in their order, with what credentials.py finds proven (a webinar's guest
   proves nothing, and publishes nothing; a speaker has an invite of cli/invite.py), the rights that
   access/policy.py gives for that role, signed by access/tokens.py. The guest walks in, through the page of
   sidecar/pages/ (served by serving.py; its scripts come through the same door in one call) or a client of
   their own.

By API. Whoever holds an access token (sidecar/access_tokens.py) makes and changes rooms without a manifest.
In sidecar/rooms/ room_handlers.py checks the body (bodies.py), and desired_state.py writes what is wanted
into the record, wakes the loop, and waits for the status of step 5. Such a room enters the walk at step 2,
with a record and no manifest. Lists are made from the records in memory (query.py, response_cache.py).
sidecar/openapi/ describes every call, from the models that check its body; sidecar/http/ holds all of it
within bounds.

Recording. `record: true` is looked after beside the plan, by reconcile/recordings/, so that a fault of a
recorder never holds a room back. A webhook of the first person marks the room (triggers.py); recorder.py
has occupancy.py look inside, plan/recording.py decides by what ListEgress said (observe.py asked it beside
ListRooms), and recording_applier.py acts: the attempt into the record, a look whether one of ours runs
already (recording_output.py knows it by its file), then Start. What was begun stands in the collection
`recordings` (ledger.py, records/recordings.py) until LiveKit has said how it ended, and `roomctl recordings`
shows it after. What went wrong (failures.py) stays in the room's condition until one ends well. The layout
with the chat is a page of ours (sidecar/pages/).

Later. The manifest takes the chat away: Update writes the new spec, Repair puts the live room's metadata
right, and `enforce` in change_applier.py brings the permissions of everybody inside to the new policy; for as
long as an older token may still be used, whoever comes in is looked at too. A webhook of a track in an
audio-only room marks that room as suspect (triggers.py), and the next pass looks inside: access/policy.py
knows who lies. What no webhook tells, reconcile/audit.py has looked for in occupied rooms at each resync.
Somebody deletes the live room: Heal makes it again, under the same name. The manifest goes: after ten seconds
of absence Remove marks the record, retires its name and deletes the live room, once nobody is inside; a
tombstone remembers the name for an hour.

Beside the way: one_shot.py is `apply`, the same steps until nothing is due; live/presence.py finds out who
of those that LiveKit lists is there; reconcile/trackers.py is what the loop remembers between passes;
records/embedded.py runs the database that comes along. settings.py is the table of settings, errors.py the
tree of errors, metrics.py and logs.py what operators see, cli/ one small file for each verb. Imports run one
way, and import-linter holds them to it (pyproject.toml). What a stranger would question stands in
docs/decisions.md.
"""
