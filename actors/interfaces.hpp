// The map of the actors: what each takes, who sends it, what comes back. Start reading here.
// Requests carry a timeout of the asker's; answers are `expected` values (schema/error.hpp), so a refusal is an answer and not the
// death of anyone. Handles may be used from any thread.
#pragma once
#include "actors/messages.hpp"

namespace taskmaster {

/// A scheduler node's desk: takes what clients want, has it stored, tells the coordinator. Asked by the gateways.
using scheduler_actor = caf::typed_actor<
    // Stores the tasks and announces them. Answered after commit; ec::exhausted when too much is under way.
    caf::replies_to<submit_atom, submit_request>::with<submit_answer>,
    // One task with what the leader knows of its run laid over it.
    caf::replies_to<find_atom, uuid>::with<find_answer>,
    // A page of tasks, newest first.
    caf::replies_to<list_atom, task_filter>::with<list_answer>,
    // Every run of a task, oldest first.
    caf::replies_to<attempts_atom, uuid>::with<attempts_answer>,
    // Answers when the task is finished, or as it stands after the time. ec::exhausted when too many wait.
    caf::replies_to<wait_atom, uuid, caf::timespan>::with<wait_answer>,
    // Cancels a task that waits; has the worker told of one that runs.
    caf::replies_to<cancel_atom, uuid>::with<cancelled_answer>,
    // Runs a finished task again under the same id.
    caf::replies_to<retry_atom, uuid>::with<find_answer>,
    // Changes a task that waits; ec::conflict when it does not, with nothing changed.
    caf::replies_to<edit_atom, edit_request>::with<find_answer>,
    // Cancels or retries all that a filter matches. ec::unprocessable, with nothing done, when it matches too many.
    caf::replies_to<bulk_atom, bulk_request>::with<bulk_answer>,
    // Every queue that is known by name, with counts and settings.
    caf::replies_to<queues_atom>::with<queues_answer>,
    // One of them. ec::not_found.
    caf::replies_to<queue_atom, std::string>::with<queue_answer>,
    // Changes a queue's settings, which may make the queue; answered when the leader goes by them.
    caf::replies_to<set_queue_atom, queue_change>::with<queue_answer>,
    // Why a task is not running now.
    caf::replies_to<explain_atom, uuid>::with<explain_answer>,
    // Changes a schedule, or runs it now or for a past range; passed on to the leader.
    caf::replies_to<schedule_atom, schedule_command>::with<schedule_answer>,
    // Schedules as they are stored, and what did not fire.
    caf::replies_to<schedule_atom, schedule_query>::with<schedule_found_answer>,
    // Who is there, and what each holds.
    caf::replies_to<workers_atom>::with<workers_answer>,
    // Tells one session's worker to finish what it has and leave.
    caf::replies_to<drain_atom, std::string>::with<done_answer>,
    // The next transitions of tasks that a stream wants: as soon as there are any, or none after the time.
    caf::replies_to<events_atom, event_request, caf::timespan>::with<events_answer>,
    // Whether database and coordinator answer.
    caf::replies_to<health_atom>::with<health>>;

/// The coordinator as a scheduler sees it: the actor itself in the same process, a gRPC link (gateway/coordinator_client) otherwise.
using coordinator_actor = caf::typed_actor<
    // Tasks just committed, from a scheduler. No answer: what gets lost the scan finds within a second.
    caf::reacts_to<announce_atom, announcement>,
    // Which of these are handed out, to whom, since when.
    caf::replies_to<live_atom, live_request>::with<live_answer>,
    // True as soon as the task's outcome is committed, false after the time. Also true for what finished seconds ago.
    caf::replies_to<wait_atom, uuid, caf::timespan>::with<finish_answer>,
    // R15: "cancelled" only for a task not handed out, after commit, outside the grace. ec::conflict when it is finished.
    caf::replies_to<cancel_atom, uuid>::with<cancel_answer>,
    // Puts a finished task back to work, due after the time. ec::conflict when it is not finished.
    caf::replies_to<retry_atom, uuid, caf::timespan>::with<reopen_answer>,
    // Changes a task that waits: committed when answered.
    caf::replies_to<edit_atom, edit_request>::with<edit_answer>,
    // What holds this unfinished task (as the database has it) now.
    caf::replies_to<explain_atom, task>::with<reasons_answer>,
    // Changes a queue's settings: committed and in effect when answered.
    caf::replies_to<set_queue_atom, queue_change>::with<settings_answer>,
    // Changes a schedule, or runs it now or for a past range: committed and in effect when answered.
    caf::replies_to<schedule_atom, schedule_command>::with<schedule_answer>,
    // The sessions of this leader.
    caf::replies_to<workers_atom>::with<workers_answer>,
    // Drains the worker of the session with this id.
    caf::replies_to<drain_atom, std::string>::with<done_answer>,
    // What happened to tasks after an id, from event_feed: as soon as there is anything, or none after the time. Without its labels
    // the filter counts. ec::exhausted when too many ask.
    caf::replies_to<events_atom, event_request, caf::timespan>::with<events_answer>>;

/// A scheduler's copy of the leader's events: one question under way to the leader, however many streams there are.
using event_feed_actor = caf::typed_actor<
    // As the scheduler's.
    caf::replies_to<events_atom, event_request, caf::timespan>::with<events_answer>,
    // Its own clock.
    caf::reacts_to<tick_atom>>;

/// The worker's runner of tasks. Asked by the worker actor, which keeps to the slots; answers when the run has ended.
using executor_pool_actor = caf::typed_actor<
    // Runs it now.
    caf::replies_to<run_atom, execution>::with<execution_result>,
    // Stops one run (TERM, grace, KILL); the answer to its run_atom says how it ended.
    caf::reacts_to<cancel_atom, std::uint64_t>,
    // Ends everything and quits.
    caf::reacts_to<stop_atom>>;

} // namespace taskmaster
