// What a worker, or somebody who is none, sends on a session: whatever its bytes, a message is read or is none, and what was read can be written
// and read again.
#include "gateway/session_proto.hpp"
#include "taskmaster/v1/worker.pb.h"
#include "tests/fuzz/require.hpp"

using namespace taskmaster;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  if (data[0] % 2) {
    v1::FromWorker in;
    if (!in.ParseFromArray(data + 1, static_cast<int>(size - 1))) return 0;
    if (const auto message = read(in)) require(read(write(*message)).value().index() == message->index());
  } else {
    v1::ToWorker in;
    if (!in.ParseFromArray(data + 1, static_cast<int>(size - 1))) return 0;
    if (const auto message = read(in)) require(read(write(*message)).value().index() == message->index());
  }
  return 0;
}
