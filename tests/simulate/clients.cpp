#include "tests/simulate/clients.hpp"

namespace taskmaster::simulate {
namespace {

struct errand_box {
  std::function<void(caf::event_based_actor*)> run;
};

} // namespace
} // namespace taskmaster::simulate
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(taskmaster::simulate::errand_box)

namespace taskmaster::simulate {

caf::behavior clients::person(self_ptr self) {
  return {[self](errand_box& e) { e.run(self); }};
}

clients::clients(world& w, books& b, cluster& c)
    : world_(w), books_(b), cluster_(c), home_(std::make_shared<part>("a client")), person_(w.spawn(home_, person)),
      at_most_once_(w.dice.one_in(2)), keyed_(w.dice.one_in(2)), limited_(w.dice.one_in(2)), narrow_(w.dice.one_in(3)),
      graphs_(w.dice.one_in(2)), changes_(w.dice.one_in(2)), hangs_(w.dice.one_in(3)), rated_(w.dice.one_in(3)) {}

void clients::go(std::function<void(self_ptr)> what) { caf::anon_send(person_, errand_box{std::move(what)}); }

void clients::live(steady_time end, duration pause) {
  world_.after(world_.dice.tailed(pause), [this, end, pause] {
    if (world_.now() >= end) return;
    something();
    live(end, pause);
  });
}

void clients::something() {
  const auto luck = world_.dice.between(0, 99);
  if (graphs_ && world_.dice.one_in(8)) return submit_graph();
  if (changes_ && world_.dice.one_in(8)) return change();
  if (!schedules_.empty() && world_.dice.one_in(20)) return command_schedule();
  if (luck < 55) {
    submit({spec()}, 3);
  } else if (luck < 67) {
    std::vector<task_spec> many(static_cast<std::size_t>(world_.dice.between(2, 14)));
    for (auto& s : many) s = spec();
    submit(std::move(many), 3);
  } else if (luck < 78) cancel();
  else if (luck < 84) retry();
  else if (luck < 91) wait();
  else if (luck < 93) bulk();
  else if (luck < 97) ask();
  else change_queue();
}

scheduler_actor clients::any_scheduler() { return cluster_.schedulers[world_.dice.below(cluster_.schedulers.size())].actor; }

uuid clients::any_task() {
  if (known_.empty()) return {};
  // Mostly a recent one: it is where things happen.
  const auto recent = std::min<std::size_t>(known_.size(), 12);
  return world_.dice.one_in(3) ? known_[world_.dice.below(known_.size())] : known_[known_.size() - 1 - world_.dice.below(recent)];
}

task_spec clients::spec() {
  auto& dice = world_.dice;
  task_spec s;
  s.kind = std::string(1, static_cast<char>('a' + dice.below(3)));
  s.queue = "q" + std::to_string(dice.below(narrow_ ? 1 : 3));
  s.payload = "{}";
  s.priority = dice.one_in(3) ? static_cast<std::int32_t>(dice.below(10)) : 0;
  if (dice.percent(40)) s.delay = dice.one_in(3) ? dice.between(milliseconds(1), milliseconds(8'000)) : dice.between(milliseconds(1), milliseconds(600));
  s.max_attempts = static_cast<std::int32_t>(dice.between(1, 4));
  s.retry.initial = dice.between(milliseconds(20), milliseconds(500));
  s.retry.factor = dice.one_in(2) ? 1 : 2;
  s.retry.max = seconds(3);
  if (at_most_once_ && dice.one_in(3)) s.delivery = delivery_mode::at_most_once;
  if (limited_ && dice.one_in(2)) s.concurrency_key = "k" + std::to_string(dice.below(3));
  if (keyed_ && dice.one_in(3)) s.idempotency_key = "i" + std::to_string(++keys_);
  else if (keyed_ && dice.one_in(8)) {
    const unique_scope scopes[] = {unique_scope::until_finished, unique_scope::while_waiting, unique_scope::for_period};
    const unique_policy policies[] = {unique_policy::return_first, unique_policy::replace, unique_policy::refuse};
    s.unique_key = "u" + std::to_string(dice.below(4));
    s.options.scope = scopes[dice.below(3)];
    s.options.policy = policies[dice.below(3)];
    if (s.options.scope == unique_scope::for_period) s.options.unique_period = dice.between(milliseconds(100), milliseconds(4'000));
  }
  if (hangs_ && dice.one_in(6)) {
    s.payload = R"({"hangs":true})";
    s.options.heartbeat_timeout = dice.between(milliseconds(1'000), milliseconds(3'000));
  }
  if (dice.one_in(25)) s.expires_at = world_.database_time() + dice.between(milliseconds(10), milliseconds(4'000));
  s.labels["batch"] = std::to_string(dice.below(3));
  return s;
}

void clients::submit(std::vector<task_spec> specs, int tries) {
  go([this, specs = std::move(specs), tries](self_ptr self) {
    submit_request request{specs};
    const auto again = [this, specs, tries] {
      // Without a key it might be stored twice, so only who gave a key asks again.
      std::vector<task_spec> keyed;
      for (const auto& s : specs)
        if (!s.idempotency_key.empty()) keyed.push_back(s);
      if (keyed.empty() || tries <= 1) return;
      world_.after(world_.dice.between(milliseconds(50), milliseconds(2'000)), [this, keyed, tries] { submit(keyed, tries - 1); });
    };
    self->request(any_scheduler(), patience, submit_atom::value, std::move(request))
        .then(
            [this, specs, again](const submit_answer& a) {
              if (!a) return again();
              for (std::size_t i = 0; i < a->size(); ++i) {
                const auto& row = (*a)[i];
                if (row.refused) continue;
                books_.acknowledged(row, specs[i].idempotency_key);
                known_.push_back(row.task.id);
              }
              if (world_.dice.one_in(10)) again(); // and some ask again all the same
            },
            [again](const caf::error&) { again(); });
  });
}

void clients::cancel() {
  const auto id = any_task();
  if (id.nil()) return;
  go([this, id](self_ptr self) {
    world_.tell(id, "a client wants it cancelled");
    self->request(any_scheduler(), patience, cancel_atom::value, id)
        .then(
            [this, id](const cancelled_answer& a) {
              // An answer that somebody's retry overtook says nothing any more.
              if (a && a->cancelled && a->record.state == task_state::cancelled) books_.told_cancelled(id);
            },
            [](const caf::error&) {});
  });
}

void clients::retry() {
  const auto id = any_task();
  if (id.nil()) return;
  go([this, id](self_ptr self) {
    self->request(any_scheduler(), patience, retry_atom::value, id).then([](const find_answer&) {}, [](const caf::error&) {});
  });
}

void clients::wait() {
  const auto id = any_task();
  if (id.nil()) return;
  go([this, id](self_ptr self) {
    self->request(any_scheduler(), patience, wait_atom::value, id, caf::timespan(world_.dice.between(milliseconds(1), milliseconds(9'000))))
        .then(
            [this, id](const wait_answer& a) {
              if (a && a->finished) books_.told_finished(id);
            },
            [](const caf::error&) {});
  });
}

void clients::bulk() {
  bulk_request r;
  r.what = world_.dice.one_in(2) ? bulk_request::verb::cancel : bulk_request::verb::retry;
  r.dry_run = world_.dice.one_in(3);
  r.filter.labels["batch"] = std::to_string(world_.dice.below(3));
  if (world_.dice.one_in(2)) r.filter.queue = "q" + std::to_string(world_.dice.below(3));
  go([this, r](self_ptr self) {
    world_.tell(std::string("a client wants many tasks ") + (r.what == bulk_request::verb::cancel ? "cancelled" : "run again"));
    self->request(any_scheduler(), patience, bulk_atom::value, r).then([](const bulk_answer&) {}, [](const caf::error&) {});
  });
}

void clients::ask() {
  const auto id = any_task();
  if (id.nil()) return;
  go([this, id, which = world_.dice.below(4)](self_ptr self) {
    const auto who = any_scheduler();
    const auto ignore = [](const caf::error&) {};
    if (which == 0) self->request(who, patience, find_atom::value, id).then([](const find_answer&) {}, ignore);
    if (which == 1) self->request(who, patience, explain_atom::value, id).then([](const explain_answer&) {}, ignore);
    if (which == 2) self->request(who, patience, list_atom::value, task_filter{}).then([](const list_answer&) {}, ignore);
    if (which == 3) self->request(who, patience, attempts_atom::value, id).then([](const attempts_answer&) {}, ignore);
  });
}

void clients::set(queue_change change, bool insist) {
  go([this, change, insist](self_ptr self) {
    const auto again = [this, change, insist] {
      if (insist) world_.after(milliseconds(200), [this, change] { set(change, true); });
    };
    self->request(any_scheduler(), patience, set_queue_atom::value, change)
        .then(
            [this, again](const queue_answer& a) {
              a ? books_.told_settings(a->settings) : again();
            },
            [again](const caf::error&) { again(); });
  });
}

void clients::change_queue() {
  auto& dice = world_.dice;
  queue_change c;
  c.name = "q" + std::to_string(dice.below(3));
  switch (dice.below(5)) {
  case 0: c.paused = true; break;
  case 1: c.paused = false; break;
  case 2: c.concurrency = dice.between(1, 4); break;
  case 3: c.key_concurrency = dice.between(1, 3); break;
  default: dice.one_in(2) ? c.pause_kinds.insert("a") : c.resume_kinds.insert("a"); break;
  }
  if (!limited_ && (c.concurrency || c.key_concurrency)) return;
  if (c.paused == true)
    world_.after(dice.between(milliseconds(200), milliseconds(5'000)), [this, name = c.name] {
      queue_change open;
      open.name = name;
      open.paused = false;
      set(open, true);
    });
  set(c, false);
}

void clients::set_limits() {
  if (rated_) {
    queue_change c;
    c.name = "q0";
    c.rate = rate_limit{world_.dice.between(1, 5), world_.dice.between(milliseconds(200), milliseconds(1'000)), world_.dice.between(1, 4)};
    set(c, true);
  }
  if (!limited_) return;
  for (int i = 0; i < 3; ++i) {
    queue_change c;
    c.name = "q" + std::to_string(i);
    if (i < 2) c.concurrency = world_.dice.between(1, 4);
    c.key_concurrency = world_.dice.between(1, 2);
    set(c, true);
  }
}

void clients::open_queues() {
  for (int i = 0; i < 3; ++i) {
    queue_change c;
    c.name = "q" + std::to_string(i);
    c.reset = {"paused", "paused_kinds", "concurrency", "key_concurrency", "rate"};
    set(c, true);
  }
}

} // namespace taskmaster::simulate
