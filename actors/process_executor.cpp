#include "actors/process_executor.hpp"

#include "actors/child_process.hpp"
#include "actors/progress.hpp"
#include "actors/quiet_thread.hpp"
#include "actors/shell_result.hpp"

#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/wait.h>

#include <cerrno>
#include <csignal>
#include <mutex>
#include <system_error>
#include <thread>
#include <unordered_map>

namespace taskmaster {

namespace {

using steady = std::chrono::steady_clock;

// What an epoll event is about: the serial number of a run in the high bits, so that an event of a run that has just ended finds
// nothing; one of these in the low three.
enum endpoint : std::uint64_t { on_exit, on_input, on_output, on_error_output, on_progress };
constexpr int endpoint_bits = 3;
constexpr std::uint64_t endpoint_mask = 7;
constexpr int faults_told = 10; // of a run's progress lines, in its error output
constexpr std::uint64_t wake_key = ~std::uint64_t{0};

enum class stage {
  running,
  stopping, // TERM sent; KILL follows after the grace
  killed,   // KILL sent, waiting for the exit
  draining, // it has ended and so has its group; whoever else holds its output has a short grace
};

struct child {
  std::uint64_t run = 0;
  duration timeout{0};
  shell_command command;
  child_process process;
  executor::done_callback done;
  kept_output output, error_output;
  std::function<void(run_report)> report;
  std::string line;          // of progress, begun
  bool line_too_long = false;
  int faults = 0;
  std::optional<duration> retry_after;
  std::size_t written = 0; // of command.input
  stage at = stage::running;
  bool exited = false;
  std::optional<run_outcome> stopped; // timeout or cancelled: overrides how it ended
  std::optional<steady::time_point> wake;
};

void signal_group(const child& c, int signal) { ::kill(-c.process.pid, signal); }

// On Linux a descriptor below 3 would collide with the child's own when the worker was started with some of them closed.
void occupy_standard_descriptors() {
  int number = -1;
  do {
    number = ::open("/dev/null", O_RDWR | O_CLOEXEC);
  } while (number >= 0 && number < 3);
  if (number >= 3) ::close(number);
}

[[noreturn]] void cannot(const char* what) { throw std::system_error(errno, std::generic_category(), what); }

} // namespace

class process_executor::loop {
public:
  explicit loop(process_executor_options options) : options_(std::move(options)), buffer_(64u << 10) {
    occupy_standard_descriptors();
    epoll_ = file_descriptor(::epoll_create1(EPOLL_CLOEXEC));
    wake_ = file_descriptor(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
    if (!epoll_.open() || !wake_.open()) cannot("process executor: epoll or eventfd");
    if (!watch(wake_.number(), EPOLLIN, wake_key)) cannot("process executor: epoll_ctl");
    for (char** variable = environ; *variable; ++variable) {
      std::string entry = *variable;
      if (!options_.withheld.count(entry.substr(0, entry.find('=')))) inherited_.push_back(std::move(entry));
    }
    // Signals blocked: no handler of the worker runs between clone and execve, and SIGPIPE never hits.
    thread_ = quiet_thread([this] { work(); });
  }

  void start(execution what, done_callback done) {
    {
      std::lock_guard lock(mutex_);
      if (!stopping_) {
        inbox_.push_back({std::move(what), std::move(done)});
        wake();
        return;
      }
    }
    done(cancelled_run());
  }

  void cancel(std::uint64_t run) {
    std::lock_guard lock(mutex_);
    inbox_.push_back({{}, nullptr, run});
    wake();
  }

  void stop() {
    {
      std::lock_guard lock(mutex_);
      stopping_ = true;
      wake();
    }
    std::lock_guard lock(join_mutex_);
    if (thread_.joinable()) thread_.join();
  }

private:
  // A start, or with an empty `done` the cancel of a run.
  struct request {
    execution what;
    done_callback done;
    std::uint64_t cancelled = 0;
  };

  void wake() {
    const std::uint64_t one = 1;
    [[maybe_unused]] const auto written = ::write(wake_.number(), &one, sizeof one);
  }

  bool watch(int number, std::uint32_t events, std::uint64_t key) {
    epoll_event event{};
    event.events = events;
    event.data.u64 = key;
    return ::epoll_ctl(epoll_.number(), EPOLL_CTL_ADD, number, &event) == 0;
  }

  void work() {
    std::vector<epoll_event> events(256);
    bool leaving = false;
    steady::time_point leave_by;
    for (;;) {
      const bool stop_asked = take_requests();
      if (stop_asked && !leaving) {
        leaving = true;
        leave_by = steady::now() + std::chrono::seconds(2);
        for (auto& [serial, c] : children_) {
          if (!c.stopped) c.stopped = run_outcome::cancelled;
          kill_group(serial, c);
        }
      }
      if (leaving && (children_.empty() || steady::now() >= leave_by)) break;
      const int count = ::epoll_wait(epoll_.number(), events.data(), static_cast<int>(events.size()),
                                     wait_milliseconds(leaving ? std::optional(leave_by) : std::nullopt));
      for (int i = 0; i < count; ++i) handle(events[i].data.u64);
      fire_wakes();
    }
    // Only a process that not even KILL ends at once (waiting for a dead disk) is still here.
    for (auto& [serial, c] : children_) c.done(cancelled_run());
    children_.clear();
  }

  // Returns whether to stop.
  bool take_requests() {
    std::vector<request> requests;
    bool stopping = false;
    {
      std::lock_guard lock(mutex_);
      requests.swap(inbox_);
      stopping = stopping_;
    }
    for (auto& r : requests) {
      if (!r.done) {
        if (const auto i = serials_.find(r.cancelled); i != serials_.end())
          stop_run(i->second, children_.at(i->second), run_outcome::cancelled);
      } else if (stopping) {
        r.done(cancelled_run());
      } else {
        begin(std::move(r.what), std::move(r.done));
      }
    }
    return stopping;
  }

  void begin(execution what, done_callback done) {
    auto command = parse_shell_payload(what.payload ? *what.payload : std::string("null"));
    if (!command) return done(payload_refused(command.failure().message));
    child_request request;
    request.environment = shell_environment(inherited_, *command, what);
    request.programs = program_candidates(command->argv[0], request.environment);
    request.argv = command->argv;
    request.cwd = command->cwd;
    request.with_input = !command->input.empty();
    request.guardian = options_.guardian ? options_.guardian->pipe() : -1;
    auto started = start_child(request);
    if (const auto* fault = std::get_if<child_fault>(&started)) return done(spawn_failure(*fault, *command));

    const auto serial = ++last_serial_;
    auto& c = children_[serial];
    c.run = what.run;
    c.timeout = what.timeout;
    c.command = std::move(*command);
    c.process = std::move(std::get<child_process>(started));
    c.done = std::move(done);
    c.report = std::move(what.report);
    serials_[c.run] = serial;
    if (c.timeout > duration::zero()) set_wake(serial, c, c.timeout);
    if (!watch(c.process.exit.number(), EPOLLIN, serial << endpoint_bits | on_exit)
        || !watch(c.process.output.number(), EPOLLIN, serial << endpoint_bits | on_output)
        || !watch(c.process.error_output.number(), EPOLLIN, serial << endpoint_bits | on_error_output)
        || !watch(c.process.progress.number(), EPOLLIN, serial << endpoint_bits | on_progress)
        || (c.process.input.open() && !watch(c.process.input.number(), EPOLLOUT, serial << endpoint_bits | on_input)))
      finish(serial, c, spawn_failure({child_fault::at::resources, errno}, c.command));
  }

  void handle(std::uint64_t key) {
    if (key == wake_key) {
      std::uint64_t count;
      [[maybe_unused]] const auto got = ::read(wake_.number(), &count, sizeof count);
      return;
    }
    const auto serial = key >> endpoint_bits;
    const auto i = children_.find(serial);
    if (i == children_.end()) return;
    auto& c = i->second;
    switch (key & endpoint_mask) {
    case on_exit: ended(serial, c); break;
    case on_input: feed(c); break;
    case on_output: read(c.process.output, c.output); break;
    case on_progress: read_progress(c); break;
    default: read(c.process.error_output, c.error_output); break;
    }
    finish_if_silent(serial, c);
  }

  void feed(child& c) {
    const auto& input = c.command.input;
    const auto put = ::write(c.process.input.number(), input.data() + c.written, input.size() - c.written);
    if (put < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (put > 0) c.written += static_cast<std::size_t>(put);
    // A command need not read its input (EPIPE).
    if (put < 0 || c.written == input.size()) c.process.input.close();
  }

  void read(file_descriptor& pipe, kept_output& into) {
    // A few rounds each, so that one talkative command does not hold up the others.
    for (int round = 0; round < 16 && pipe.open(); ++round) {
      const auto got = ::read(pipe.number(), buffer_.data(), buffer_.size());
      if (got > 0) {
        into.append({buffer_.data(), static_cast<std::size_t>(got)});
      } else if (got == 0 || (errno != EAGAIN && errno != EINTR)) {
        pipe.close();
      } else if (errno == EAGAIN) {
        return;
      }
    }
  }

  // What came in one go makes one report: the last of each counts.
  void read_progress(child& c) {
    run_report said;
    bool any = false;
    for (int round = 0; round < 16 && c.process.progress.open(); ++round) {
      const auto got = ::read(c.process.progress.number(), buffer_.data(), buffer_.size());
      if (got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR)) c.process.progress.close();
      if (got < 0 && errno == EINTR) continue;
      if (got <= 0) break;
      for (std::string_view rest(buffer_.data(), static_cast<std::size_t>(got)); !rest.empty();) {
        const auto end = rest.find('\n');
        if (c.line.size() + std::min(end, rest.size()) > limits::progress_line) c.line_too_long = true;
        else c.line += rest.substr(0, end);
        if (end == rest.npos) break;
        rest.remove_prefix(end + 1);
        any = take_line(c, said) || any;
      }
    }
    if (any && c.report) c.report(std::move(said));
  }

  bool take_line(child& c, run_report& said) {
    auto line = c.line_too_long ? expected<progress_line>(error{ec::too_large, "a line is longer than the limit of " +
                                                                                   std::to_string(limits::progress_line) + " bytes"})
                                : read_progress_line(c.line);
    c.line.clear();
    c.line_too_long = false;
    if (!line) {
      if (++c.faults <= faults_told) c.error_output.append("taskmaster: progress: " + line.failure().message + "\n");
      return false;
    }
    if (!line->said.progress.empty()) said.progress = std::move(line->said.progress);
    if (line->said.checkpoint) said.checkpoint = std::move(line->said.checkpoint);
    if (line->retry_after) c.retry_after = line->retry_after;
    return !said.progress.empty() || said.checkpoint;
  }

  // The leader has ended but is not reaped, so its group's number stays ours until finish().
  void ended(std::uint64_t serial, child& c) {
    c.exited = true;
    ::epoll_ctl(epoll_.number(), EPOLL_CTL_DEL, c.process.exit.number(), nullptr);
    c.process.input.close();
    // One that was asked to stop may have left children that are still cleaning up: they have the rest of the grace.
    if (c.at != stage::stopping) drain(serial, c);
    read(c.process.output, c.output);
    read(c.process.error_output, c.error_output);
    read_progress(c);
  }

  void drain(std::uint64_t serial, child& c) {
    signal_group(c, SIGKILL);
    c.at = stage::draining;
    set_wake(serial, c, options_.drain_grace);
  }

  void stop_run(std::uint64_t serial, child& c, run_outcome why) {
    if (c.exited || c.at != stage::running) return;
    c.stopped = why;
    c.at = stage::stopping;
    signal_group(c, SIGTERM);
    signal_group(c, SIGCONT); // a stopped process would not notice
    set_wake(serial, c, options_.stop_grace);
  }

  void kill_group(std::uint64_t serial, child& c) {
    if (c.exited) return drain(serial, c);
    signal_group(c, SIGKILL);
    c.at = stage::killed;
    clear_wake(serial, c);
  }

  void finish_if_silent(std::uint64_t serial, child& c) {
    if (c.exited && !c.process.output.open() && !c.process.error_output.open()) finish(serial, c);
  }

  // `instead` of how it ended: for one that could not be watched.
  void finish(std::uint64_t serial, child& c, std::optional<execution_result> instead = {}) {
    signal_group(c, SIGKILL);
    if (options_.guardian) options_.guardian->forget(c.process.pid);
    siginfo_t info{};
    while (::waitid(P_PIDFD, static_cast<id_t>(c.process.exit.number()), &info, WEXITED) < 0 && errno == EINTR) {}
    exit_report report;
    if (info.si_code == CLD_EXITED)
      report.status = info.si_status;
    else
      report.signal = info.si_status;
    auto result = shell_outcome(report, c.output, c.error_output);
    if (result.outcome == run_outcome::deferred || result.outcome == run_outcome::failed) result.retry_after = c.retry_after;
    if (c.stopped) {
      auto text = std::move(result.result);
      result = *c.stopped == run_outcome::timeout ? timed_out(c.timeout) : cancelled_run();
      result.result = std::move(text);
    }
    if (instead) result = std::move(*instead);
    clear_wake(serial, c);
    if (const auto i = serials_.find(c.run); i != serials_.end() && i->second == serial) serials_.erase(i);
    const auto done = std::move(c.done);
    children_.erase(serial);
    done(std::move(result));
  }

  void set_wake(std::uint64_t serial, child& c, duration after) {
    clear_wake(serial, c);
    c.wake = steady::now() + after;
    wakes_.emplace(*c.wake, serial);
  }

  void clear_wake(std::uint64_t serial, child& c) {
    if (c.wake) wakes_.erase({*c.wake, serial});
    c.wake.reset();
  }

  int wait_milliseconds(std::optional<steady::time_point> until) const {
    if (!wakes_.empty() && (!until || wakes_.begin()->first < *until)) until = wakes_.begin()->first;
    if (!until) return -1;
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(*until - steady::now()).count();
    return static_cast<int>(std::clamp<long long>(left, 0, 1'000'000));
  }

  void fire_wakes() {
    while (!wakes_.empty() && wakes_.begin()->first <= steady::now()) {
      const auto serial = wakes_.begin()->second;
      auto& c = children_.at(serial);
      clear_wake(serial, c);
      if (c.at == stage::running) {
        stop_run(serial, c, run_outcome::timeout);
      } else if (c.at == stage::stopping) {
        kill_group(serial, c);
      } else {
        finish(serial, c);
      }
    }
  }

  const process_executor_options options_;
  std::vector<std::string> inherited_;
  file_descriptor epoll_, wake_;
  std::vector<char> buffer_;

  std::mutex mutex_; // guards the next two
  std::vector<request> inbox_;
  bool stopping_ = false;

  // The thread's own.
  std::unordered_map<std::uint64_t, child> children_;
  std::unordered_map<std::uint64_t, std::uint64_t> serials_; // by run
  std::set<std::pair<steady::time_point, std::uint64_t>> wakes_;
  std::uint64_t last_serial_ = 0;

  std::mutex join_mutex_;
  std::thread thread_;
};

process_executor::process_executor(process_executor_options options)
    : loop_(std::make_unique<loop>(std::move(options))) {}
process_executor::~process_executor() { stop(); }
void process_executor::start(execution what, done_callback done) { loop_->start(std::move(what), std::move(done)); }
void process_executor::cancel(std::uint64_t run) { loop_->cancel(run); }
void process_executor::stop() { loop_->stop(); }

} // namespace taskmaster
