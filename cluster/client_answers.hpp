// What the client commands say about the service's answers: failures as sentences and exit codes, tasks for people.
// Used by client_commands and client_submit. Pure but for the streams.
#pragma once
#include "cluster/http_client.hpp"
#include "schema/time.hpp"

#include <optional>
#include <ostream>
#include <string>

#include <nlohmann/json.hpp>

namespace taskmaster {

/// Keeps fields in the order in which the service sent them.
using answer_json = nlohmann::ordered_json;

/// Tells on `err` why a request did not go well and returns the exit code. `answer` is not good().
int report_failure(const http_client& client, const service_answer& answer, std::ostream& err);

/// A problem document (RFC 9457) as lines: its detail, then each field at fault.
std::string problem_text(const answer_json& problem);

/// The answer's JSON; nothing, and a sentence on `err`, when it is none (a proxy's page, say).
std::optional<answer_json> read_answer(const http_client& client, const service_answer& answer, std::ostream& err);

void print_json(std::ostream& out, const answer_json& json);

// Fields of an answer, which may be missing, null or of another type than expected: then empty.
std::string text_of(const answer_json& object, const char* name);
std::optional<timestamp> time_of(const answer_json& object, const char* name);
/// Strings as they are, other values as JSON, null as "".
std::string shown(const answer_json& value);

bool finished_state(const std::string& state);

/// "due in 5s", "waits 3s", "runs 10s", "3m ago": what matters about a task's time in its state.
std::string when_text(const answer_json& task, timestamp now);
/// How long from one time to the other; empty when one is missing.
std::string took_text(const answer_json& object, const char* from, const char* to);

/// Every field that is set, below each other, output last.
void print_task(std::ostream& out, const answer_json& task, timestamp now);

/// What a finished task brought: a shell's output to `out` and its error output to `err`, other results to `out`, and on `err` a
/// sentence unless it succeeded. Returns the exit code.
int print_outcome(std::ostream& out, std::ostream& err, const answer_json& task);

} // namespace taskmaster
