#include "tests/simulate/faulty_store.hpp"

namespace taskmaster::simulate {

expected<std::vector<inserted>> faulty_store::insert(const std::vector<new_task>& tasks, timeout limit) {
  auto wanted = tasks;
  // A batch that is cut off may be stored in part: rows are committed in groups (postgres_insert).
  if (passes_ <= 0 && fate_ == store_fate::answer_lost && world_.dice.one_in(3)) wanted.resize(world_.dice.below(wanted.size() + 1));
  return write(limit, [&] {
    auto answer = real_->insert(wanted, limit);
    if (answer)
      for (std::size_t i = 0; i < wanted.size(); ++i) books_.stored(wanted[i], (*answer)[i]);
    return answer;
  });
}

expected<std::vector<inserted>> faulty_store::insert_graph(const std::vector<new_task>& rows, timeout limit) {
  return write(limit, [&] {
    auto answer = real_->insert_graph(rows, limit);
    if (answer) books_.stored_graph(rows, *answer);
    return answer;
  });
}

expected<std::optional<leader_lease>> faulty_store::acquire(const std::string& holder, const std::string& address, duration ttl,
                                                            timeout limit) {
  return write(limit, [&] {
    auto answer = real_->acquire(holder, address, ttl, limit);
    if (answer && *answer) books_.new_term((*answer)->term);
    return answer;
  });
}

expected<recorded> faulty_store::record(std::uint64_t term, const std::vector<task_change>& changes, timeout limit) {
  return write(limit, [&] {
    auto answer = real_->record(term, changes, limit);
    if (answer)
      for (std::size_t i = 0; i < changes.size(); ++i) books_.changed(changes[i], answer->answers[i]);
    return answer;
  });
}

expected<std::optional<task>> faulty_store::edit(std::uint64_t term, const task_edition& what, timeout limit) {
  return write(limit, [&] {
    auto answer = real_->edit(term, what, limit);
    if (answer && *answer) books_.edited(what, **answer);
    return answer;
  });
}

expected<done> faulty_store::keep_checkpoints(std::uint64_t term, const std::vector<kept_checkpoint>& all, timeout limit) {
  return write(limit, [&] {
    auto answer = real_->keep_checkpoints(term, all, limit);
    if (answer)
      for (const auto& c : all) books_.kept(c);
    return answer;
  });
}

expected<task> faulty_store::reopen(std::uint64_t term, const uuid& id, timeout limit, duration wait) {
  return write(limit, [&] {
    auto answer = real_->reopen(term, id, limit, wait);
    if (answer) books_.reopened(*answer);
    return answer;
  });
}

expected<done> faulty_store::set_queue(std::uint64_t term, const queue_settings& settings, timeout limit) {
  return write(limit, [&] {
    auto answer = real_->set_queue(term, settings, limit);
    if (answer) books_.settings(settings);
    return answer;
  });
}

expected<std::optional<timestamp>> faulty_store::renew(std::uint64_t term, duration ttl, timeout limit) {
  return write(limit, [&] { return real_->renew(term, ttl, limit); });
}
expected<done> faulty_store::resign(std::uint64_t term, timeout limit) {
  return write(limit, [&] { return real_->resign(term, limit); });
}
expected<done> faulty_store::enlist(std::uint64_t term, timeout limit) {
  return write(limit, [&] { return real_->enlist(term, limit); });
}
expected<int> faulty_store::renew_transactions(std::uint64_t term, int most, timeout limit) {
  return write(limit, [&] { return real_->renew_transactions(term, most, limit); });
}

expected<done> faulty_store::open_session(std::uint64_t term, const session_row& row, timeout limit) {
  return write(limit, [&] { return real_->open_session(term, row, limit); });
}
expected<done> faulty_store::close_session(std::uint64_t term, const std::string& worker, const std::string& incarnation, timeout limit) {
  return write(limit, [&] { return real_->close_session(term, worker, incarnation, limit); });
}
expected<task_store::upkeep> faulty_store::maintain(duration retention, timeout limit) {
  return write(limit, [&] { return real_->maintain(retention, limit); });
}

expected<schedule_record> faulty_store::put_schedule(std::uint64_t term, const schedule_record& record, timeout limit) {
  return write(limit, [&] {
    auto answer = real_->put_schedule(term, record, limit);
    if (answer) books_.schedule_put(*answer);
    return answer;
  });
}
expected<done> faulty_store::delete_schedule(std::uint64_t term, const std::string& name, timeout limit) {
  return write(limit, [&] { return real_->delete_schedule(term, name, limit); });
}
expected<std::vector<fired_schedule>> faulty_store::fire_schedules(std::uint64_t term, const std::vector<schedule_firing>& firings,
                                                                   timeout limit) {
  auto own = firings; // with ids that the seed gives
  for (auto& f : own)
    for (auto& t : f.tasks)
      for (std::size_t i = 6; i < 16; ++i) t.id.bytes[i] = static_cast<std::uint8_t>(world_.dice.any());
  return write(limit, [&] {
    auto answer = real_->fire_schedules(term, own, limit);
    if (answer)
      for (std::size_t i = 0; i < own.size(); ++i) books_.fired(own[i], (*answer)[i]);
    return answer;
  });
}

expected<schedule_page> faulty_store::schedules(const std::string& cursor, std::size_t most, timeout limit) {
  return read(limit, [&] { return real_->schedules(cursor, most, limit); });
}
expected<std::optional<schedule_record>> faulty_store::find_schedule(const std::string& name, timeout limit) {
  return read(limit, [&] { return real_->find_schedule(name, limit); });
}
expected<ledger_page> faulty_store::schedule_ledger(const std::string& name, const std::string& cursor, std::size_t most, timeout limit) {
  return read(limit, [&] { return real_->schedule_ledger(name, cursor, most, limit); });
}
expected<std::map<std::string, std::vector<uuid>>> faulty_store::unfinished_of(const std::vector<std::string>& schedules, timeout limit) {
  return read(limit, [&] { return real_->unfinished_of(schedules, limit); });
}
expected<follow_up_page> faulty_store::follow_up(std::uint64_t term, std::size_t most, timeout limit) {
  return write(limit, [&] {
    auto answer = real_->follow_up(term, most, limit);
    if (answer)
      for (const auto& t : answer->released) books_.released(t);
    return answer;
  });
}
expected<std::vector<edge>> faulty_store::awaits(const uuid& id, std::size_t most, timeout limit) {
  return read(limit, [&] { return real_->awaits(id, most, limit); });
}
expected<std::optional<task_record>> faulty_store::find(const uuid& id, timeout limit) {
  return read(limit, [&] { return real_->find(id, limit); });
}
expected<task_page> faulty_store::list(const task_filter& filter, timeout limit) {
  return read(limit, [&] { return real_->list(filter, limit); });
}
expected<std::vector<attempt_record>> faulty_store::attempts(const uuid& id, timeout limit) {
  return read(limit, [&] { return real_->attempts(id, limit); });
}
expected<std::vector<queue_summary>> faulty_store::queues(timeout limit) {
  return read(limit, [&] { return real_->queues(limit); });
}
expected<std::vector<queue_settings>> faulty_store::settings(timeout limit) {
  return read(limit, [&] { return real_->settings(limit); });
}
expected<leader_info> faulty_store::leader(timeout limit) {
  return read(limit, [&] { return real_->leader(limit); });
}
expected<timestamp> faulty_store::clock(timeout limit) {
  return read(limit, [&] { return real_->clock(limit); });
}
expected<std::vector<bucket_key>> faulty_store::buckets(timeout limit) {
  return read(limit, [&] { return real_->buckets(limit); });
}
expected<window_page> faulty_store::load_window(const bucket_key& bucket, const window_mark& after, std::size_t rows, std::size_t bytes,
                                                timeout limit) {
  return read(limit, [&] { return real_->load_window(bucket, after, rows, bytes, limit); });
}
expected<window_page> faulty_store::load_window_past(const bucket_key& bucket, const window_mark& after, std::size_t rows,
                                                     std::size_t bytes, const std::set<std::string>& keys, std::size_t walk, timeout limit) {
  return read(limit, [&] { return real_->load_window_past(bucket, after, rows, bytes, keys, walk, limit); });
}
expected<std::vector<window_page>> faulty_store::load_key_windows(const std::vector<key_window>& windows, std::size_t rows,
                                                                  std::size_t bytes, timeout limit) {
  return read(limit, [&] { return real_->load_key_windows(windows, rows, bytes, limit); });
}
expected<scan_cursor> faulty_store::scan_start(timeout limit) {
  return read(limit, [&] { return real_->scan_start(limit); });
}
expected<scan_page> faulty_store::scan(const scan_cursor& from, std::size_t rows, timeout limit, const std::vector<std::uint64_t>& known) {
  return read(limit, [&] { return real_->scan(from, rows, limit, known); });
}
expected<std::vector<task>> faulty_store::load(const std::vector<uuid>& ids, timeout limit) {
  return read(limit, [&] { return real_->load(ids, limit); });
}
expected<std::vector<session_row>> faulty_store::sessions(timeout limit) {
  return read(limit, [&] { return real_->sessions(limit); });
}

} // namespace taskmaster::simulate
