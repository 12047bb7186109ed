"""roomctl: LiveKit rooms from manifests in Git.

This tour follows one manifest through the code. docs/architecture.md has the figure and the rules,
docs/decisions.md the reasons, docs/glossary.md the terms. The manifest is `rooms.d/standup.yaml`:

    name: Team standup
    preset: standard-team

`roomctl run` (cli/run.py) starts daemon.py; app.py builds all parts.

1. Trigger. manifests/watch.py notices the new file and sets a flag in reconcile/triggers.py, which wakes
   reconcile/loop.py. A webhook (checked by live/webhook.py) or the resync timer would start the same
   pass. A webhook that reaches a replica on standby is forwarded through the database
   (reconcile/webhooks.py, records/relay.py).

2. Observe. reconcile/observe.py reads three things in this order: the rooms on LiveKit (live/client.py;
   live/wire.py turns messages into frozen data), the records (records/store.py, which reads them again
   only if a number says that they changed), and the rooms directory. There manifests/files.py finds the
   files, plain.py reads those of the common form at once; for all others document.py parses YAML and
   json_events.py JSON, fields.py checks each field, other_formats.py recognizes files that are not
   manifests; policy_file.py reads the policy files, and folder_policy.py says what those above a manifest
   mean together; claims.py finds duplicate keys, ids and paths, and load.py puts it all
   together. Errors are part of the result, next to the valid rooms: an error never looks like a deleted
   room.

3. Plan. plan/ is pure. ownership.py sorts the LiveKit rooms into ours and others'. matching.py finds the
   record of each manifest; ours has none, so it is a new room, whose id follows from its key (room.py).
   planner.py decides what each room needs: here create and start. guards.py blocks removals that look
   like a mistake, and defers what would disconnect people. maintenance.py adds cleaning up. `roomctl
   plan` (one_shot.py) prints this with render.py and ends; steps.py says of each action when and to whom.

4. Apply. reconcile/task_runner.py gives the room a task of its own, with its own backoff. The task
   (change_applier.py) first makes one write: it inserts the record with a new LiveKit name already in it
   (records/batch.py sends the writes of all rooms together). Then it calls CreateRoom under that name.
   Every call to LiveKit goes through fenced_writer.py, which checks the lease (records/lease.py). If the
   process dies between two lines, the next plan continues.

5. Status. reconcile/status.py turns the result into conditions, and status_writer.py writes them into the
   record, if they changed. `roomctl wait` sees Ready for this spec and exits with 0.

   What was done, failed or waits is recorded as events (room_events.py), which a task of their own writes
   (events/log.py). `roomctl events` lists them, and events/sender.py sends them out.

6. Serve. The new room is in state_cache.py, from which sidecar/ answers. A participant opens the join
   page (sidecar/pages/), which requests a token. sidecar/joining/admission.py makes the checks in their
   order, credentials.py checks what the request proves, access/policy.py gives the rights of that role, and
   access/tokens.py signs the token.

A room that is live on demand has no live room until somebody asks: sidecar/waking.py hands the demand to
the reconciler, over the database if this replica is on standby, and waits for the state cache.

Rooms over the API enter at step 2: sidecar/rooms/ checks the access token and the body, writes the
desired state into the record, wakes the loop, and waits for the status of step 5. It calls no LiveKit write.

A changed policy is an update of the record, of the LiveKit room's metadata, and of the permissions of
everybody inside (access/policy.py compares). Participants who join later with an older token are checked
when LiveKit reports them, and reconcile/trackers.py chooses some occupied rooms to check at each resync.

Several `roomctl run` may share a database. Each announces what it has read and sees
(reconcile/announcer.py, records/replicas.py); from that reconcile/peers.py decides which one gives the
lease up, and whose manifests may be older.

A room that disappears from LiveKit is created again under its name. If the manifest is deleted, the room
is removed after ten seconds and once it is empty; a tombstone keeps its names for an hour.

Recordings run next to the plan, so that a fault in one never delays its room. companions/companion.py is the
interface of such a companion; reconcile/companion_runner.py runs them. For recordings a pure
function (companions/recording/decision.py) decides the next step from what LiveKit lists and who is inside,
and applier.py carries it out. LiveKit's agents are called by a second one, companions/agents/.

git.py finds the commit of a manifest; `plan`, `status`, `describe` and events show it.

errors.py has the tree of errors, settings.py all settings, metrics.py and logs.py what operators see.
Each verb is a module in cli/. Those that only read ask LiveKit through live/lookup.py. `roomctl import` goes
the other way: manifests/export.py writes a manifest for a room that exists already, and steps 3 and 4 take
that room over, by `adopt:` or by the id of a room of the API.
"""
