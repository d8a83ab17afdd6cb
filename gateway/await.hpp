// Blocks a foreign thread until the scheduler has answered. For HTTP handlers, which own their thread; never for actors or gRPC.
#pragma once
#include "schema/error.hpp"
#include "schema/time.hpp"

#include <future>
#include <memory>
#include <utility>

namespace taskmaster {

/// `start` is given the callback. scheduler_client calls it once and in time; the limit here is a net beneath, for a
/// machine whose actor threads are starved.
template <class Answer, class Start>
Answer await_answer(duration limit, Start start) {
  auto promise = std::make_shared<std::promise<Answer>>();
  auto future = promise->get_future();
  start([promise](Answer a) { promise->set_value(std::move(a)); });
  if (future.wait_for(limit + std::chrono::seconds(10)) != std::future_status::ready)
    return Answer(error(ec::deadline_exceeded, "The scheduler did not answer in time; ask again."));
  return future.get();
}

} // namespace taskmaster
