#include "tests/simulate/stream.hpp"

namespace taskmaster::simulate {
namespace {

class coordinator_end final : public worker_link {
public:
  explicit coordinator_end(std::shared_ptr<stream> s) : stream_(std::move(s)) {}
  bool push(to_worker message) override { return stream_->push_down(std::move(message)); }
  void close(std::string reason) override { stream_->close_coordinator_end(reason); }
  std::string peer() const override { return "simulated"; }

private:
  std::shared_ptr<stream> stream_;
};

class worker_end final : public coordinator_link {
public:
  explicit worker_end(std::shared_ptr<stream> s) : stream_(std::move(s)) {}
  bool push(from_worker message) override { return stream_->push_up(std::move(message)); }
  void close() override { stream_->close_worker_end(); }

private:
  std::shared_ptr<stream> stream_;
};

} // namespace

class simulated_dialer final : public coordinator_dialer {
public:
  simulated_dialer(network& net, network::worker_place who) : net_(net), who_(std::move(who)) {}
  void dial(const std::string& address, std::uint64_t number, worker_actor who) override {
    net_.world_.after(net_.latency(), [&net = net_, place = who_, address, number, who] { net.open(place, address, number, who); });
  }

private:
  network& net_;
  network::worker_place who_;
};

network::~network() {
  // Streams and actors hold each other.
  for (auto& s : streams_) {
    s->worker = worker_actor{};
    s->proxy = worker_proxy_actor{};
  }
}

const seat* network::find(const std::string& address) const {
  const auto it = seats_.find(address);
  return it == seats_.end() || it->second.home->dead ? nullptr : &it->second;
}

std::shared_ptr<coordinator_dialer> network::dialer(worker_place who) { return std::make_shared<simulated_dialer>(*this, std::move(who)); }

void network::open(const worker_place& who, const std::string& address, std::uint64_t dial, worker_actor worker) {
  if (who.home->dead || apart(who.name, address)) return; // nobody answers: the worker has a limit of its own
  const auto* at = find(address);
  if (!at) {
    world_.after(latency(), [worker, dial] { caf::anon_send(worker, link_event{dial, nullptr, {}, "connection refused"}); });
    return;
  }
  auto s = std::make_shared<stream>(*this, world_, books_);
  s->who = {++number_, who.name, who.incarnation};
  s->address = address;
  s->dial = dial;
  s->worker_home = who.home;
  s->coordinator_home = at->home;
  s->worker = worker;
  s->proxy = world_.spawn(at->home, worker_proxy, at->actor, std::make_shared<coordinator_end>(s), at->view, at->timing);
  streams_.push_back(s);
  world_.after(latency(), [s] {
    if (!s->worker_home->dead) caf::anon_send(s->worker, link_event{s->dial, std::make_shared<worker_end>(s), {}, ""});
  });
}

void network::note_results(const books::session& who, const finished_tasks& results) {
  auto& kept = results_[{who.worker, who.incarnation}];
  for (const auto& r : results.results) kept.push_back(r);
  while (kept.size() > 20) kept.pop_front();
}

std::shared_ptr<stream> network::any_stream() {
  std::vector<std::shared_ptr<stream>> open;
  for (const auto& s : streams_)
    if (s->open()) open.push_back(s);
  return open.empty() ? nullptr : open[world_.dice.below(open.size())];
}

void network::break_stream(const std::shared_ptr<stream>& s, bool coordinator_hears, bool worker_hears) {
  ++faults;
  world_.tell("stream " + std::to_string(s->who.stream) + " of " + s->who.worker + " breaks" + (coordinator_hears ? "" : ", the coordinator does not hear of it") +
              (worker_hears ? "" : ", the worker does not hear of it"));
  s->snap(coordinator_hears, worker_hears, world_.dice.tailed(milliseconds(20)), world_.dice.tailed(milliseconds(20)));
}

void network::stall(const std::shared_ptr<stream>& s, bool up, bool down, duration how_long) {
  ++faults;
  world_.tell("stream " + std::to_string(s->who.stream) + " of " + s->who.worker + " stalls " + (up && down ? "both ways" : up ? "upwards" : "downwards") +
              " for " + format_duration(how_long));
  s->stall(up, down);
  world_.after(how_long, [s] { s->release(); });
}

void network::part_ways(const std::string& worker, const std::string& address, bool up, bool down, duration how_long) {
  ++faults;
  world_.tell(worker + " and " + address + " do not reach each other " + (up && down ? "" : up ? "(upwards) " : "(downwards) ") + "for " + format_duration(how_long));
  const std::pair pair(worker, address);
  apart_.insert(pair);
  std::vector<std::shared_ptr<stream>> caught;
  for (const auto& s : streams_)
    if (s->open() && s->who.worker == worker && s->address == address) caught.push_back(s);
  for (const auto& s : caught) s->stall(up, down);
  world_.after(how_long, [this, pair, caught] {
    apart_.erase(apart_.find(pair));
    for (const auto& s : caught) s->release();
  });
}

void network::process_died(const std::shared_ptr<part>& home) {
  for (const auto& s : streams_) {
    if (s->worker_home != home && s->coordinator_home != home) continue;
    const bool heard = !world_.dice.one_in(4); // a machine that lost its power says nothing
    s->snap(heard, heard, world_.dice.tailed(milliseconds(5)), world_.dice.tailed(milliseconds(5)));
  }
}

} // namespace taskmaster::simulate
