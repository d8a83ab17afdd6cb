#include "gateway/grpc_server.hpp"

#include <grpcpp/ext/proto_server_reflection_plugin.h>
#include <grpcpp/health_check_service_interface.h>
#include <mutex>

namespace taskmaster {

expected<std::unique_ptr<grpc_server>> grpc_server::start(const std::string& address,
                                                          std::vector<std::unique_ptr<grpc::Service>> services) {
  static std::once_flag plugins; // process-wide, and only before the first builder
  std::call_once(plugins, [] {
    grpc::EnableDefaultHealthCheckService(true);
    grpc::reflection::InitProtoReflectionServerBuilderPlugin();
  });
  std::unique_ptr<grpc_server> out(new grpc_server);
  out->services_ = std::move(services);
  grpc::ServerBuilder builder;
  int port = 0;
  builder.AddListeningPort(address, grpc::InsecureServerCredentials(), &port);
  // Without this a second process would share the port silently and get half of the calls.
  builder.AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);
  builder.SetMaxReceiveMessageSize(64 << 20);
  // Clients with keepalive on: gRPC's default of one ping in five minutes would answer them with GOAWAY (protocol 3.3 #30).
  builder.AddChannelArgument(GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS, 5'000);
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1);
  for (auto& s : out->services_) builder.RegisterService(s.get());
  out->server_ = builder.BuildAndStart();
  if (!out->server_ || port == 0)
    return error(ec::unavailable, "cannot listen on " + address + " for gRPC: is the port taken, or the address not this machine's?");
  if (auto* health = out->server_->GetHealthCheckService()) health->SetServingStatus(true);
  out->address_ = address.substr(0, address.rfind(':') + 1) + std::to_string(port);
  return out;
}

grpc_server::~grpc_server() { stop(); }

void grpc_server::stop() {
  if (!server_) return;
  if (auto* health = server_->GetHealthCheckService()) health->SetServingStatus(false);
  for (auto& s : services_)
    if (auto* leaving = dynamic_cast<leaving_service*>(s.get())) leaving->leave();
  server_->Shutdown(std::chrono::system_clock::now() + std::chrono::seconds(1));
  server_->Wait();
  server_.reset();
}

} // namespace taskmaster
