// Queues' settings and explanations as JSON: a change read strictly, a queue and the reasons written as clients see them ("A queue" and
// "Explain" of the API). Used by the HTTP gateway. Pure; any thread.
#pragma once
#include "actors/messages.hpp"
#include "gateway/json_view.hpp"
#include "gateway/json_writer.hpp"

namespace taskmaster {

/// The body of a PUT: what is left out stays, null sets a field back to its default. ec::invalid_argument with every fault of form;
/// else the rules of `validate`.
expected<queue_change> read_queue_change(const json_view& json, const std::string& name);
/// The body of a pause or resume, empty or {"kind", "key"}: of these, or of the whole queue.
expected<queue_change> read_pause(const json_view& json, const std::string& name, bool pause);

void write_queue(json_writer& out, const queue_info& queue);
void write_explanation(json_writer& out, const explanation& e);

} // namespace taskmaster
