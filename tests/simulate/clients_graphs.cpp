// Clients whose tasks wait for others, and who change tasks that wait.
#include "tests/simulate/clients.hpp"

namespace taskmaster::simulate {

void clients::submit_graph() {
  auto& dice = world_.dice;
  std::vector<task_spec> rows(static_cast<std::size_t>(dice.between(1, 7)));
  const bool keyed = keyed_ && dice.one_in(2);
  for (std::size_t i = 0; i < rows.size(); ++i) {
    auto& s = rows[i];
    s = spec();
    s.unique_key.clear();
    s.options.scope = {};
    s.options.policy = {};
    s.options.unique_period = duration{0};
    s.idempotency_key = keyed ? "i" + std::to_string(++keys_) : "";
    s.options.ref = "r" + std::to_string(i);
    if (dice.one_in(4)) s.options.group = "g" + std::to_string(dice.below(2));
    const auto wait_for = [&](awaited a) {
      a.on = dice.one_in(2) ? awaited_end::succeeded : awaited_end::finished;
      a.otherwise = static_cast<otherwise_do>(dice.below(3));
      s.after.push_back(std::move(a));
    };
    for (std::size_t k = 0; k < i; ++k)
      if (dice.one_in(2)) wait_for({"r" + std::to_string(k), {}, {}, {}});
    if (const auto id = any_task(); !id.nil() && dice.one_in(3)) wait_for({id.str(), {}, {}, {}});
    if (dice.one_in(6)) wait_for({{}, "g" + std::to_string(dice.below(2)), {}, {}});
  }
  submit(std::move(rows), 3);
}

void clients::change() {
  const auto id = any_task();
  if (id.nil()) return;
  auto& dice = world_.dice;
  edit_request r;
  r.id = id;
  r.what.to.payload = R"({"edition":)" + std::to_string(++editions_) + "}";
  r.what.fields = {"payload"};
  if (dice.one_in(3)) {
    r.what.to.priority = static_cast<std::int32_t>(dice.below(10));
    r.what.fields.insert("priority");
  }
  if (dice.one_in(3)) {
    r.what.to.delay = dice.between(milliseconds(1), milliseconds(2'000));
    r.what.fields.insert("delay");
  }
  if (dice.one_in(4)) {
    r.what.to.queue = "q" + std::to_string(dice.below(3));
    r.what.fields.insert("queue");
  }
  go([this, r](self_ptr self) {
    world_.tell(r.id, "a client wants it changed to " + r.what.to.payload);
    self->request(any_scheduler(), patience, edit_atom::value, r)
        .then(
            [this, r](const find_answer& a) {
              if (a) books_.told_changed(r.id, r.what.to.payload);
            },
            [](const caf::error&) {});
  });
}

} // namespace taskmaster::simulate
