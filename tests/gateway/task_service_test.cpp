// The gRPC door for clients, over a real server and a real channel.
#include "gateway/grpc_status.hpp"
#include "gateway/task_proto.hpp"
#include "gateway/task_service.hpp"
#include "tests/catch.hpp"
#include "tests/gateway/fake_scheduler.hpp"

#include "taskmaster/v1/task.grpc.pb.h"

#include <grpcpp/grpcpp.h>

#include <future>
#include <thread>

using namespace taskmaster;
using namespace taskmaster::test;
using namespace std::chrono_literals;

namespace {

class grpc_fixture {
public:
  explicit grpc_fixture(task_service_options o = {}) {
    o.now = fixed_now;
    service = make_task_service(node.system, node.scheduler, std::move(o));
    grpc::ServerBuilder builder;
    int port = 0;
    builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &port);
    builder.SetMaxReceiveMessageSize(task_message_bytes);
    builder.RegisterService(service.get());
    server = builder.BuildAndStart();
    REQUIRE(server);
    stub = v1::TaskService::NewStub(grpc::CreateChannel("127.0.0.1:" + std::to_string(port), grpc::InsecureChannelCredentials()));
  }
  ~grpc_fixture() { shut_down(); }

  void shut_down() {
    if (!server) return;
    server->Shutdown(std::chrono::system_clock::now() + 100ms);
    server->Wait();
    server.reset();
  }

  /// One call; `context` keeps what came with the answer.
  template <class Request, class Response>
  grpc::Status call(grpc::Status (v1::TaskService::StubInterface::*method)(grpc::ClientContext*, const Request&, Response*), const Request& request,
                    Response& response, std::optional<std::chrono::milliseconds> deadline = std::nullopt) {
    context = std::make_unique<grpc::ClientContext>();
    if (deadline) context->set_deadline(std::chrono::system_clock::now() + *deadline);
    return (static_cast<v1::TaskService::StubInterface*>(stub.get())->*method)(context.get(), request, &response);
  }

  std::vector<std::string> trailers(const std::string& name) const {
    std::vector<std::string> out;
    const auto [from, to] = context->GetServerTrailingMetadata().equal_range(name);
    for (auto it = from; it != to; ++it) out.emplace_back(it->second.data(), it->second.size());
    return out;
  }

  std::string submit() {
    v1::SubmitRequest request;
    request.mutable_task()->set_kind("noop");
    v1::SubmitResponse response;
    REQUIRE(call(&v1::TaskService::StubInterface::Submit, request, response).ok());
    return response.task().id();
  }

  fake_node node;
  std::unique_ptr<grpc::Service> service;
  std::unique_ptr<grpc::Server> server;
  std::unique_ptr<v1::TaskService::Stub> stub;
  std::unique_ptr<grpc::ClientContext> context;
};

using api = v1::TaskService::StubInterface;

bool soon(const std::function<bool()>& condition) {
  const auto until = std::chrono::steady_clock::now() + 5s;
  while (!condition()) {
    if (std::chrono::steady_clock::now() > until) return false;
    std::this_thread::sleep_for(2ms);
  }
  return true;
}

v1::TaskSpec full_spec() {
  v1::TaskSpec s;
  s.set_kind("echo");
  s.set_payload(" {\"n\": 123456789012345678901234567890} ");
  s.set_queue("mail");
  s.mutable_run_at()->set_seconds(1'893'456'000 + 60); // 2030-01-01T00:01:00Z
  s.mutable_run_at()->set_nanos(1'500);
  s.set_priority(9);
  s.mutable_timeout()->set_seconds(90);
  s.mutable_expires_at()->set_seconds(1'893'456'000 + 3600);
  s.set_max_attempts(3);
  s.mutable_retry()->mutable_initial()->set_nanos(250'000'000);
  s.mutable_retry()->set_factor(1.5);
  s.mutable_retry()->mutable_max()->set_seconds(60);
  s.mutable_retry()->set_jitter(0);
  s.set_delivery(v1::DELIVERY_AT_LEAST_ONCE);
  s.set_unique_key("u");
  s.set_concurrency_key("c");
  (*s.mutable_labels())["team"] = "a";
  s.set_idempotency_key("i");
  return s;
}

std::vector<std::string> faulty(const v1::TaskSpec& s, ec code = ec::invalid_argument) {
  const auto r = read_task(s, fixed_now());
  REQUIRE_FALSE(r);
  CHECK(r.failure().code == code);
  std::vector<std::string> out;
  for (const auto& f : r.failure().faults) out.push_back(f.field);
  return out;
}

} // namespace

TEST_CASE("every field of a protobuf task is read and shown again") {
  const auto spec = read_task(full_spec(), fixed_now());
  REQUIRE(spec);
  CHECK(spec->payload == "{\"n\":123456789012345678901234567890}");
  CHECK(spec->run_at == *parse_timestamp("2030-01-01T00:01:00.000001Z"));
  CHECK(spec->retry == retry_policy{250ms, 1.5, 60s, 0});
  CHECK(spec->idempotency_key == "i");

  grpc_fixture f;
  v1::SubmitRequest request;
  *request.mutable_task() = full_spec();
  v1::SubmitResponse response;
  REQUIRE(f.call(&api::Submit, request, response).ok());
  CHECK_FALSE(response.repeated_key());
  auto shown = response.task().spec();
  auto want = full_spec();
  want.set_payload(spec->payload);
  want.mutable_run_at()->set_nanos(1'000); // microseconds are kept
  want.clear_idempotency_key();            // of the submit, not of the task
  CHECK(shown.SerializeAsString() == want.SerializeAsString());
  CHECK(response.task().state() == v1::STATE_SCHEDULED);
  CHECK(response.task().created_at().seconds() == 1'893'456'000);

  v1::GetRequest get;
  get.set_id(response.task().id());
  v1::Task task;
  REQUIRE(f.call(&api::Get, get, task).ok());
  CHECK(task.SerializeAsString() == response.task().SerializeAsString());

  REQUIRE(f.call(&api::Submit, request, response).ok());
  CHECK(response.repeated_key());
  CHECK(response.task().id() == task.id());
}

TEST_CASE("faults of a protobuf task name their fields, all of them") {
  v1::TaskSpec s;
  CHECK(faulty(s) == std::vector<std::string>{"/kind"});
  s.set_kind("noop");
  s.set_payload("{");
  s.mutable_run_at()->set_nanos(-1);
  s.mutable_delay()->set_seconds(-5);
  s.mutable_timeout()->set_seconds(1);
  s.mutable_timeout()->set_nanos(-1);
  s.mutable_expires_at()->set_seconds(300'000'000'000);
  s.mutable_retry()->mutable_initial()->set_seconds(-1);
  s.set_delivery(static_cast<v1::Delivery>(9));
  CHECK(faulty(s) == std::vector<std::string>{"/payload", "/run_at", "/delay", "/timeout", "/expires_at", "/retry/initial", "/delivery"});
  v1::TaskSpec nul;
  nul.set_kind("noop");
  nul.set_payload("{\"a\": [\"\\u0000\"]}");
  CHECK(faulty(nul) == std::vector<std::string>{"/payload/a/0"});
  nul.set_payload("1");
  nul.set_unique_key(std::string("a\0b", 3));
  CHECK(faulty(nul) == std::vector<std::string>{"/unique_key"});
  v1::TaskSpec big;
  big.set_kind("noop");
  big.set_payload("\"" + std::string(3 << 20, 'x') + "\"");
  CHECK(faulty(big, ec::too_large) == std::vector<std::string>{"/payload"});
  big.set_payload("1");
  big.set_priority(10);
  CHECK(faulty(big, ec::unprocessable) == std::vector<std::string>{"/priority"});
}

TEST_CASE("a refused task is INVALID_ARGUMENT with each fault in the trailers") {
  grpc_fixture f;
  v1::SubmitRequest request;
  v1::SubmitResponse response;
  auto status = f.call(&api::Submit, request, response);
  CHECK(status.error_code() == grpc::INVALID_ARGUMENT);
  request.mutable_task()->set_kind("Grüße");
  request.mutable_task()->mutable_delay()->set_seconds(-1);
  status = f.call(&api::Submit, request, response);
  CHECK(status.error_code() == grpc::INVALID_ARGUMENT);
  CHECK(status.error_message().find("/delay") != std::string::npos);
  CHECK(f.trailers("taskmaster-fault").size() == 2);
  CHECK(f.trailers("taskmaster-fault").front().starts_with("/delay: "));
  CHECK(f.trailers("retry-after").empty());
  CHECK(f.node.calls() == 0);
}

TEST_CASE("however many faults, the status fits into headers that peers take") {
  error e(ec::invalid_argument, std::string(5000, 'x') + "é");
  for (int i = 0; i < 10'000; ++i) e.faults.push_back({"/labels/é\n" + std::to_string(i), std::string(500, 'y')});
  std::size_t bytes = grpc_status(e).error_message().size();
  for (const auto& [name, value] : grpc_trailers(e)) {
    bytes += name.size() + value.size();
    for (const char c : value) CHECK((c >= 0x20 && c <= 0x7E));
  }
  CHECK(bytes < 6000);
}

TEST_CASE("a batch over gRPC answers row by row") {
  grpc_fixture f;
  f.node.tell([](script& s) { s.refuse_row = 1; });
  v1::SubmitBatchRequest request;
  for (const char* kind : {"a", "B", "c", "d"}) request.add_tasks()->set_kind(kind);
  v1::SubmitBatchResponse response;
  REQUIRE(f.call(&api::SubmitBatch, request, response).ok());
  REQUIRE(response.results_size() == 4);
  CHECK_FALSE(response.results(0).id().empty());
  CHECK(response.results(1).error().code() == "invalid_argument");
  CHECK(response.results(1).error().errors(0).field() == "/kind");
  CHECK(response.results(2).error().code() == "unprocessable");
  CHECK_FALSE(response.results(3).id().empty());

  v1::SubmitBatchResponse none;
  REQUIRE(f.call(&api::SubmitBatch, v1::SubmitBatchRequest(), none).ok());
  v1::SubmitBatchRequest many;
  for (int i = 0; i < 10'001; ++i) many.add_tasks()->set_kind("a");
  CHECK(f.call(&api::SubmitBatch, many, none).error_code() == grpc::INVALID_ARGUMENT);
}

TEST_CASE("a message of 16 MiB is let in") {
  grpc_fixture f;
  v1::SubmitBatchRequest request;
  for (int i = 0; i < 16; ++i) {
    auto& t = *request.add_tasks();
    t.set_kind("a");
    t.set_payload("\"" + std::string((1 << 20) - 100, 'x') + "\"");
  }
  v1::SubmitBatchResponse response;
  REQUIRE(f.call(&api::SubmitBatch, request, response).ok());
  CHECK_FALSE(response.results(15).id().empty());
}

TEST_CASE("list, wait, cancel, retry, attempts, queues and workers over gRPC") {
  grpc_fixture f;
  const auto id = f.submit();

  v1::ListRequest list;
  list.set_queue("default");
  list.set_state(v1::STATE_EXPIRED);
  (*list.mutable_labels())["a"] = "b";
  list.set_limit(5);
  list.set_cursor("c");
  v1::ListResponse page;
  f.node.tell([](script& s) { s.next_cursor = "next"; });
  REQUIRE(f.call(&api::List, list, page).ok());
  CHECK(page.tasks_size() == 1);
  CHECK(page.next_cursor() == "next");
  CHECK(f.node.told->filters.back().state == task_state::expired);
  CHECK(f.node.told->filters.back().limit == 5);
  list.set_limit(1001);
  CHECK(f.call(&api::List, list, page).error_code() == grpc::INVALID_ARGUMENT);

  v1::WaitRequest wait;
  wait.set_id(id);
  v1::WaitResponse waited;
  REQUIRE(f.call(&api::Wait, wait, waited).ok());
  CHECK(waited.finished());
  wait.mutable_timeout()->set_seconds(2);
  f.node.tell([](script& s) { s.finished = false; });
  REQUIRE(f.call(&api::Wait, wait, waited).ok());
  CHECK_FALSE(waited.finished());
  CHECK(f.node.told->waits == std::vector<duration>{30s, 2s});
  wait.mutable_timeout()->set_seconds(601);
  CHECK(f.call(&api::Wait, wait, waited).error_code() == grpc::INVALID_ARGUMENT);

  v1::CancelRequest cancel;
  cancel.set_id(id);
  v1::CancelResponse cancelled;
  REQUIRE(f.call(&api::Cancel, cancel, cancelled).ok());
  CHECK(cancelled.cancelled());
  CHECK(cancelled.task().state() == v1::STATE_CANCELLED);
  v1::RetryRequest retry;
  retry.set_id(id);
  v1::Task task;
  CHECK(f.call(&api::Retry, retry, task).error_code() == grpc::FAILED_PRECONDITION);
  retry.set_id("nonsense");
  CHECK(f.call(&api::Retry, retry, task).error_code() == grpc::INVALID_ARGUMENT);
  retry.set_id("01914c3e-9d1b-7c5f-8a44-0c8fd5b2a7e1");
  CHECK(f.call(&api::Retry, retry, task).error_code() == grpc::NOT_FOUND);

  f.node.tell([&](script& s) {
    attempt_record a;
    a.attempt = 2;
    a.outcome = "lost";
    a.picked_at = fixed_now() - 1us;
    s.attempts = {a};
    queue_info q;
    q.counts = {"mail", 3, 4, true};
    q.running = 5;
    s.queues = {q};
    worker_info w;
    w.id = "s1";
    w.queues = {"mail"};
    w.tasks = {*uuid::parse(id)};
    w.connected_at = fixed_now();
    s.workers = {w};
  });
  v1::AttemptsRequest attempts;
  attempts.set_id(id);
  v1::AttemptsResponse tried;
  REQUIRE(f.call(&api::Attempts, attempts, tried).ok());
  CHECK(tried.attempts(0).outcome() == "lost");
  CHECK(tried.attempts(0).picked_at().nanos() == 999'999'000);
  v1::QueuesResponse queues;
  REQUIRE(f.call(&api::Queues, v1::QueuesRequest(), queues).ok());
  CHECK(queues.queues(0).running() == 5);
  CHECK(queues.queues(0).capped());
  v1::WorkersResponse workers;
  REQUIRE(f.call(&api::Workers, v1::WorkersRequest(), workers).ok());
  CHECK(workers.workers(0).tasks(0) == id);
}

TEST_CASE("a scheduler that refuses is passed on over gRPC") {
  grpc_fixture f;
  v1::QueuesResponse queues;
  const auto with = [&](error e) {
    f.node.tell([&](script& s) { s.refuse = e; });
    return f.call(&api::Queues, v1::QueuesRequest(), queues).error_code();
  };
  error down(ec::unavailable, "The database cannot be reached.");
  down.retry_after = 7s;
  CHECK(with(down) == grpc::UNAVAILABLE);
  CHECK(f.trailers("retry-after") == std::vector<std::string>{"7"});
  CHECK(with(error(ec::exhausted, "Full.")) == grpc::RESOURCE_EXHAUSTED);
  CHECK(f.trailers("retry-after") == std::vector<std::string>{"1"});
  CHECK(with(error(ec::ambiguous, "Perhaps.")) == grpc::UNKNOWN);
  f.node.tell([](script& s) { s.refuse = error(ec::internal, "secret"); });
  const auto ours = f.call(&api::Queues, v1::QueuesRequest(), queues);
  CHECK(ours.error_code() == grpc::INTERNAL);
  CHECK(ours.error_message().find("secret") == std::string::npos);
}

TEST_CASE("a mute scheduler ends in DEADLINE_EXCEEDED, by our limit or by the client's") {
  task_service_options o;
  o.deadline = 50ms;
  grpc_fixture f(o);
  f.node.tell([](script& s) { s.mute = true; });
  v1::QueuesResponse queues;
  CHECK(f.call(&api::Queues, v1::QueuesRequest(), queues).error_code() == grpc::DEADLINE_EXCEEDED);
  CHECK(f.call(&api::Queues, v1::QueuesRequest(), queues, 100ms).error_code() == grpc::DEADLINE_EXCEEDED);
}

TEST_CASE("a dead scheduler is UNAVAILABLE") {
  grpc_fixture f;
  f.node.kill_scheduler();
  v1::QueuesResponse queues;
  CHECK(f.call(&api::Queues, v1::QueuesRequest(), queues).error_code() == grpc::UNAVAILABLE);
}

TEST_CASE("a client that gives up and a server that goes end the calls they leave behind") {
  task_service_options o;
  o.deadline = 60s;
  grpc_fixture f(o);
  const auto id = f.submit();
  f.node.tell([](script& s) { s.mute = true; });
  v1::WaitRequest wait;
  wait.set_id(id);
  const auto before = f.node.calls();

  grpc::ClientContext leaving, staying;
  v1::WaitResponse a, b;
  auto left = std::async(std::launch::async, [&] { return f.stub->Wait(&leaving, wait, &a); });
  auto stayed = std::async(std::launch::async, [&] { return f.stub->Wait(&staying, wait, &b); });
  CHECK(soon([&] { return f.node.calls() == before + 2; }));
  leaving.TryCancel();
  CHECK(left.get().error_code() == grpc::CANCELLED);
  f.shut_down(); // would hang for half a minute if it waited for the scheduler
  CHECK_FALSE(stayed.get().ok());
  // Answers that come after the end of their calls find nothing to write into.
  f.node.kill_scheduler();
  f.service.reset();
}
