// What a scheduler under test has to tell, and waiting until it was heard.
#pragma once
#include "tests/gateway/fake_scheduler.hpp"

#include <functional>
#include <thread>

namespace taskmaster::test {

inline task_event event_of(int n, task_state state = task_state::succeeded, const std::string& queue = "default") {
  task_event e;
  e.task = *uuid::parse("01914c3e-9d1b-7c5f-8a44-0c8fd5b2a7e1");
  e.task.bytes[15] = static_cast<std::uint8_t>(n);
  e.state = state;
  e.attempt = n;
  e.at = fixed_now();
  e.where = std::make_shared<const bucket_key>(bucket_key{queue, "echo", 0});
  return e;
}

inline void happen(fake_node& node, int n, task_state state = task_state::succeeded, const std::string& queue = "default") {
  node.tell([&](script& s) { s.events.append(event_of(n, state, queue)); });
}

inline bool soon(const std::function<bool()>& what) {
  for (int i = 0; i < 500; ++i) {
    if (what()) return true;
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  return false;
}

} // namespace taskmaster::test
