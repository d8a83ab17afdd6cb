// A gRPC server with the standard health and reflection services, on a port of its own. Made by a node's composition, which stops it
// before the actors behind its services.
#pragma once
#include "schema/error.hpp"

#include <grpcpp/grpcpp.h>
#if __has_include(<grpcpp/impl/service_type.h>)
#include <grpcpp/impl/service_type.h>
#else
#include <grpcpp/impl/codegen/service_type.h>
#endif
#include <memory>
#include <string>
#include <vector>

namespace taskmaster {

/// A service with calls that have no end of their own.
class leaving_service {
public:
  virtual ~leaving_service() = default;
  /// Ends them, and those to come.
  virtual void leave() = 0;
};

class grpc_server {
public:
  /// `address`: host:port, port 0 picks one. ec::unavailable when it cannot be had.
  static expected<std::unique_ptr<grpc_server>> start(const std::string& address, std::vector<std::unique_ptr<grpc::Service>> services);
  ~grpc_server();
  grpc_server(const grpc_server&) = delete;
  grpc_server& operator=(const grpc_server&) = delete;

  /// host:port it listens on.
  const std::string& address() const { return address_; }
  /// Health turns to NOT_SERVING, streams end, calls under way have a second. Idempotent.
  void stop();

private:
  grpc_server() = default;
  std::vector<std::unique_ptr<grpc::Service>> services_;
  std::unique_ptr<grpc::Server> server_;
  std::string address_;
};

} // namespace taskmaster
