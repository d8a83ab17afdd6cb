// `submit`: flags to a task, files to batches. Used by client_commands.
#pragma once
#include "cluster/client_answers.hpp"
#include "cluster/client_commands.hpp"
#include "cluster/http_client.hpp"
#include "schema/error.hpp"

namespace taskmaster {

/// The body of POST /v1/tasks that the flags ask for, as JSON text; the sentence of a failure names the flag. Reads `in` for "-".
expected<std::string> task_body(const submit_options& options, std::istream& in);
/// The same of PATCH /v1/tasks/{id}; the value "none" is the default.
expected<std::string> edit_body(const submit_options& options, std::istream& in);
/// The flags that are fields of a task, but for kind and payload.
expected<answer_json> task_flags(const submit_options& options);

int run_submit(http_client& client, const client_request& request, std::istream& in, std::ostream& out, std::ostream& err);
int run_submit_batch(http_client& client, const client_request& request, std::istream& in, std::ostream& out, std::ostream& err);

} // namespace taskmaster
