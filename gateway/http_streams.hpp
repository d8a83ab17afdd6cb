// Connections that carry an answer without an end, all of them on one thread: an open stream costs a descriptor and the piece it is
// writing, and takes no thread from ordinary requests. A stream is asked for its next piece when the last one is with the client, so a client that does
// not read holds up itself; after `silence` without a byte taken it is cut. Used by http_server; members from any thread.
#pragma once
#include "gateway/http_call.hpp"

#include <list>
#include <mutex>
#include <thread>

namespace taskmaster {

class http_streams {
public:
  static constexpr std::chrono::seconds silence{5};
  static constexpr int send_buffer = 128 << 10; // of the kernel; without it a client may lag by megabytes

  http_streams();
  http_streams(const http_streams&) = delete;
  http_streams& operator=(const http_streams&) = delete;
  ~http_streams();

  /// Goes on with this connection, on a descriptor of its own: writes the head of a text/event-stream and then what the stream gives. `peer`
  /// is named in the log when it is cut.
  void take(int descriptor, std::string peer, std::shared_ptr<http_stream> stream);
  /// Ends them all, and those to come. Idempotent.
  void stop();

private:
  struct open;
  /// Where pieces arrive; outlives this object as long as one is on its way.
  struct inbox;

  void run();
  bool write(open& s);
  void ask(open& s);

  std::shared_ptr<inbox> inbox_;
  std::mutex starting_;
  std::thread thread_; // once there was a stream
  std::list<std::unique_ptr<open>> streams_; // the thread's
};

} // namespace taskmaster
