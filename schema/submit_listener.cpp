// A plain thread, because an actor can wait for its mailbox or for a socket, not for both: it polls the socket and an eventfd.
#include "schema/submit_listener.hpp"

#include "schema/postgres_connection.hpp"

#include <csignal>
#include <mutex>
#include <poll.h>
#include <sys/eventfd.h>
#include <system_error>
#include <thread>
#include <unistd.h>

namespace taskmaster {
namespace {

using namespace std::chrono_literals;
using namespace postgres;

constexpr auto listen_limit = 5s;
constexpr auto look_again = 250ms; // after a failure; the connection's own backoff says how often it really dials
constexpr auto far_away = 1h;

class postgres_listener final : public submit_listener {
public:
  postgres_listener(std::string url, std::string application_name)
      : db_(std::move(url), std::move(application_name)), wake_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
    if (wake_ < 0) throw std::system_error(errno, std::generic_category(), "submit listener: eventfd");
    sigset_t all, before;
    ::sigfillset(&all);
    ::pthread_sigmask(SIG_SETMASK, &all, &before); // signals are the main thread's business; the new thread inherits the mask
    thread_ = std::thread([this] { work(); });
    ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
  }

  ~postgres_listener() override {
    {
      std::lock_guard lock(mutex_);
      stopping_ = true;
    }
    wake();
    thread_.join();
    ::close(wake_);
  }

  void listen(std::function<void()> heard) override { tell(std::move(heard)); }
  void rest() override { tell(nullptr); }

private:
  void tell(std::function<void()> heard) {
    {
      std::lock_guard lock(mutex_);
      heard_.swap(heard);
      ++told_;
    }
    wake();
    // The old callback ends here, without the lock: it may hold the last handle of an actor.
  }

  void wake() {
    const std::uint64_t one = 1;
    [[maybe_unused]] const auto written = ::write(wake_, &one, sizeof one);
  }

  void sleep(std::chrono::milliseconds time) {
    pollfd p{wake_, POLLIN, 0};
    ::poll(&p, 1, static_cast<int>(time.count()));
  }

  void work() {
    bool listening = false;
    std::uint64_t told = 0;
    for (;;) {
      std::uint64_t count;
      [[maybe_unused]] const auto got = ::read(wake_, &count, sizeof count);
      std::function<void()> heard;
      {
        std::lock_guard lock(mutex_);
        if (stopping_) return;
        heard = heard_;
        if (told != told_) listening = false; // whoever is new has not heard what the last one did
        told = told_;
      }
      if (!heard) {
        db_.drop();
        sleep(far_away);
        continue;
      }
      const auto now = std::chrono::steady_clock::now();
      if (!listening) {
        listening = db_.run_text("LISTEN taskmaster_submitted", {}, now + listen_limit, effect::read).has_value();
        if (listening) heard();
        else sleep(look_again);
        continue;
      }
      const auto notifications = db_.await_notifications(wake_, now + far_away);
      if (!notifications) listening = false;
      else if (*notifications > 0) heard();
    }
  }

  connection db_; // the thread's alone
  const int wake_;
  std::mutex mutex_; // guards the next three
  std::function<void()> heard_;
  std::uint64_t told_ = 0;
  bool stopping_ = false;
  std::thread thread_;
};

} // namespace

std::unique_ptr<submit_listener> make_postgres_listener(std::string url, std::string application_name) {
  return std::make_unique<postgres_listener>(std::move(url), std::move(application_name));
}

} // namespace taskmaster
