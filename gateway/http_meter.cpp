#include "gateway/http_meter.hpp"

#include <prometheus/counter.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>

namespace taskmaster {

struct http_meter::families {
  prometheus::Family<prometheus::Counter>& requests;
  prometheus::Family<prometheus::Histogram>& seconds;
};

http_meter::http_meter(prometheus::Registry& registry)
    : families_(new families{
          prometheus::BuildCounter().Name("taskmaster_http_requests_total").Help("HTTP requests by route and status").Register(registry),
          prometheus::BuildHistogram().Name("taskmaster_http_request_seconds").Help("Time to answer an HTTP request, by route").Register(registry)}) {}

http_meter::~http_meter() = default;

void http_meter::count(const std::string& route, int status, std::chrono::duration<double> took) {
  static const prometheus::Histogram::BucketBoundaries bounds{0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10, 60};
  families_->requests.Add({{"route", route}, {"status", std::to_string(status)}}).Increment();
  families_->seconds.Add({{"route", route}}, bounds).Observe(took.count());
}

} // namespace taskmaster
