// Schedules in memory: what the functions of migrations/0007_schedules.sql do.
#include "schema/memory_database.hpp"

namespace taskmaster {

namespace {

constexpr std::size_t unfinished_most = 100;

std::size_t weight(const schedule_record& r) { return r.spec.task.payload.size(); }

} // namespace

schedule_record memory_database::put_schedule(schedule_record record) {
  const auto old = schedules.find(record.spec.name);
  record.created_at = old == schedules.end() ? now() : old->second.created_at;
  record.updated_at = old == schedules.end() || old->second.version != record.version ? now() : old->second.updated_at;
  queues.insert(record.spec.task.queue);
  schedules.insert_or_assign(record.spec.name, record);
  return record;
}

bool memory_database::delete_schedule(const std::string& name) {
  ledger_.erase(name);
  return schedules.erase(name) > 0;
}

fired_schedule memory_database::fire(const schedule_firing& what) {
  fired_schedule answer;
  const auto at = schedules.find(what.spec->name);
  if (at == schedules.end() || at->second.state.step != what.step) return answer;
  answer.moved = true;
  at->second.state = what.next;
  at->second.state.step = what.step + 1;
  auto& notes = ledger_[what.spec->name];
  for (const auto& t : what.tasks) {
    if (!firings_.try_emplace({what.spec->name, t.instant}, firing{t.id, now()}).second) continue;
    if (const auto note = notes.find(t.instant); note != notes.end() && note->second.what.count == 1) notes.erase(note);
    const auto wanted = task_of_instant(at->second.spec, t.id, t.instant, t.run_at);
    if (auto made = insert(wanted); !made.refused && !made.repeated) answer.tasks.push_back(std::move(made.task));
  }
  for (const auto& u : what.ledger) notes.try_emplace(u.from, ledger_row{u, now()});
  return answer;
}

schedule_page memory_database::page_of_schedules(const std::string& cursor, std::size_t most) const {
  schedule_page page;
  std::size_t bytes = 0;
  for (auto at = schedules.upper_bound(cursor); at != schedules.end(); ++at) {
    if (page.schedules.size() == most || (!page.schedules.empty() && bytes >= limits::page_bytes)) {
      page.next_cursor = page.schedules.back().spec.name;
      break;
    }
    bytes += weight(at->second);
    page.schedules.push_back(at->second);
  }
  return page;
}

expected<ledger_page> memory_database::page_of_ledger(const std::string& name, const std::string& cursor, std::size_t most) const {
  auto before = timestamp::max();
  if (!cursor.empty()) {
    const auto parsed = parse_timestamp(cursor);
    if (!parsed) return error{ec::invalid_argument, "the cursor is not one of a page before", {{"/cursor", "take next_cursor of the page before"}}};
    before = *parsed;
  }
  ledger_page page;
  const auto notes = ledger_.find(name);
  if (notes == ledger_.end()) return page;
  for (auto at = notes->second.lower_bound(before); at != notes->second.begin();) {
    if (page.rows.size() == most) {
      page.next_cursor = format_timestamp(page.rows.back().what.from);
      break;
    }
    page.rows.push_back((--at)->second);
  }
  return page;
}

std::vector<uuid> memory_database::unfinished_of(const std::string& schedule) const {
  std::vector<uuid> found;
  for (const auto& [id, r] : tasks)
    if (options_of(r.task.options).schedule == schedule && found.size() < unfinished_most) found.push_back(id);
  return found;
}

void memory_database::forget_firings(duration retention) {
  const auto old = now() - retention;
  std::erase_if(firings_, [&](const auto& f) {
    const auto s = schedules.find(f.first.first);
    const bool passed = s == schedules.end() || !s->second.state.next_at || *s->second.state.next_at > f.first.second;
    return f.second.fired_at < old && passed;
  });
  for (auto& [name, notes] : ledger_) std::erase_if(notes, [&](const auto& n) { return n.second.decided_at < old; });
}

} // namespace taskmaster
