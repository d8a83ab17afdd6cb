#include "gateway/queue_json.hpp"

namespace taskmaster {
namespace {

class change_reader {
public:
  queue_change change;
  std::vector<field_fault> faults;

  void read(const json_view& json) {
    for (const auto& [name, value] : json.members()) {
      const std::string at = "/" + pointer_token(name);
      if (!is_queue_setting(name))
        fault(at, "is no setting of a queue; these are paused, concurrency, rate, key_concurrency, key_rate, weight, paused_kinds and paused_keys");
      else if (value.null()) change.reset.insert(name);
      else if (name == "paused") flag(at, value, change.paused);
      else if (name == "concurrency") whole(at, value, change.concurrency);
      else if (name == "key_concurrency") whole(at, value, change.key_concurrency);
      else if (name == "rate") rate(at, value, change.rate);
      else if (name == "key_rate") rate(at, value, change.key_rate);
      else if (name == "weight") real(at, value, change.weight);
      else names(at, value, name == "paused_kinds" ? change.paused_kinds : change.paused_keys);
    }
  }

  void fault(std::string field, std::string why) { faults.push_back({std::move(field), std::move(why)}); }

private:
  void flag(const std::string& at, const json_view& value, std::optional<bool>& out) {
    out = value.boolean();
    if (!out) fault(at, "has to be true or false; this is " + std::string(value.what_text()));
  }
  void whole(const std::string& at, const json_view& value, std::optional<std::int64_t>& out) {
    out = value.integer();
    if (!out) fault(at, "has to be a whole number, or null for none; this is " + std::string(value.what_text()));
  }
  void real(const std::string& at, const json_view& value, std::optional<double>& out) {
    out = value.number();
    if (!out) fault(at, "has to be a number; this is " + std::string(value.what_text()));
  }
  void rate(const std::string& at, const json_view& value, std::optional<rate_limit>& out) {
    if (value.what() != json_view::type::object)
      return fault(at, "has to be an object such as {\"limit\": 5, \"period\": \"1s\", \"burst\": 5}, or null for none; this is " +
                           std::string(value.what_text()));
    std::optional<std::int64_t> limit, burst;
    rate_limit r;
    const auto before = faults.size();
    for (const auto& [name, v] : value.members()) {
      const std::string field = at + "/" + pointer_token(name);
      if (name == "limit") whole(field, v, limit);
      else if (name == "burst" && !v.null()) whole(field, v, burst);
      else if (name == "period" && !v.null()) {
        const auto text = v.string();
        const auto d = text ? parse_duration(*text) : expected<duration>(error{ec::invalid_argument, "has to be a duration as a string, such as \"1s\""});
        if (d) r.period = *d;
        else fault(field, d.failure().message);
      } else if (name != "burst" && name != "period")
        fault(field, "is no field of a rate; these are limit, period and burst");
    }
    if (faults.size() > before) return;
    if (!limit) return fault(at + "/limit", "is missing; say how many in a period");
    r.limit = *limit;
    r.burst = burst.value_or(*limit);
    out = r;
  }
  void names(const std::string& at, const json_view& value, std::optional<std::set<std::string>>& out) {
    if (value.what() != json_view::type::array)
      return fault(at, "has to be an array of strings; this is " + std::string(value.what_text()));
    out.emplace();
    for (const auto& one : value.elements()) {
      if (auto text = one.string()) out->insert(std::move(*text));
      else fault(at, "has to be an array of strings; there is " + std::string(one.what_text()) + " in it");
    }
  }
};

expected<queue_change> judged(change_reader reader) {
  if (reader.faults.empty()) {
    if (auto broken = validate(reader.change)) return std::move(*broken);
    return std::move(reader.change);
  }
  const auto n = reader.faults.size();
  return error(ec::invalid_argument,
               n == 1 ? "The queue's settings have a fault; `errors` names the field."
                      : "The queue's settings have " + std::to_string(n) + " faults; `errors` names the fields.",
               std::move(reader.faults));
}

void write_rate(json_writer& out, std::string_view name, const std::optional<rate_limit>& rate) {
  out.key(name);
  if (!rate) {
    out.null();
    return;
  }
  out.begin_object().key("limit").integer(rate->limit).field("period", format_duration(rate->period));
  out.key("burst").integer(rate->burst).end_object();
}

void write_names(json_writer& out, std::string_view name, const std::set<std::string>& names) {
  out.key(name).begin_array();
  for (const auto& n : names) out.string(n);
  out.end_array();
}

} // namespace

expected<queue_change> read_queue_change(const json_view& json, const std::string& name) {
  if (json.what() != json_view::type::object)
    return error(ec::invalid_argument, "A queue's settings are a JSON object, such as {\"concurrency\": 10}; this is " + std::string(json.what_text()) + ".",
                 {{"", "has to be an object"}});
  change_reader reader;
  reader.change.name = name;
  reader.read(json);
  return judged(std::move(reader));
}

expected<queue_change> read_pause(const json_view& json, const std::string& name, bool pause) {
  change_reader reader;
  auto& c = reader.change;
  c.name = name;
  bool part = false;
  for (const auto& [field, value] : json.members()) {
    if (field != "kind" && field != "key") {
      reader.fault("/" + pointer_token(field), "is unknown here; kind and key name a part of the queue, without them it is all of it");
      continue;
    }
    if (value.null()) continue;
    part = true;
    const bool kind = field == "kind";
    if (auto text = value.string()) (pause ? kind ? c.pause_kinds : c.pause_keys : kind ? c.resume_kinds : c.resume_keys).insert(*text);
    else reader.fault("/" + field, "has to be a string; this is " + std::string(value.what_text()));
  }
  if (!part) c.paused = pause;
  return judged(std::move(reader));
}

void write_queue(json_writer& out, const queue_info& q) {
  const auto& s = q.settings;
  out.begin_object().field("name", q.counts.name).key("paused").boolean(s.paused).key("concurrency");
  s.concurrency ? out.integer(*s.concurrency) : out.null();
  write_rate(out, "rate", s.rate);
  out.key("key_concurrency").integer(s.key_concurrency);
  write_rate(out, "key_rate", s.key_rate);
  out.key("weight").number(s.weight);
  write_names(out, "paused_kinds", s.paused_kinds);
  write_names(out, "paused_keys", s.paused_keys);
  out.key("scheduled").integer(q.counts.scheduled).key("ready").integer(q.counts.ready).key("running").integer(q.running);
  out.key("capped").boolean(q.counts.capped).end_object();
}

void write_explanation(json_writer& out, const explanation& e) {
  out.begin_object().field("state", to_string(e.state)).key("reasons").begin_array();
  for (const auto& r : e.reasons) {
    out.begin_object().field("code", r.code).field("detail", r.detail).field("until", r.until).key("waits_for").begin_array();
    for (const auto& id : r.waits_for) out.string(id.str());
    out.end_array().end_object();
  }
  out.end_array().end_object();
}

} // namespace taskmaster
