#include "limbic/serve/metrics.h"

#include "limbic/core/error.h"

namespace limbic::serve {

void Metrics::count_response(int status) {
  const std::lock_guard lock(mutex_);
  ++responses_[status];
}

void Metrics::count_pictures(size_t pictures, std::chrono::steady_clock::duration time) {
  const double seconds = std::chrono::duration<double>(time).count();
  const std::lock_guard lock(mutex_);
  pictures_ += static_cast<int64_t>(pictures);
  ++requests_;
  seconds_ += seconds;
  for (size_t i = 0; i < bounds.size(); ++i) within_[i] += seconds <= bounds[i];
}

std::string Metrics::text(size_t waiting) const {
  const std::lock_guard lock(mutex_);
  std::string out = "# TYPE limbic_responses_total counter\n";
  for (const auto& [status, n] : responses_)
    out += str_cat("limbic_responses_total{code=\"", status, "\"} ", n, "\n");
  out += str_cat("# TYPE limbic_pictures_total counter\nlimbic_pictures_total ", pictures_,
                 "\n# TYPE limbic_pictures_waiting gauge\nlimbic_pictures_waiting ", waiting,
                 "\n# TYPE limbic_request_seconds histogram\n");
  for (size_t i = 0; i < bounds.size(); ++i)
    out += str_cat("limbic_request_seconds_bucket{le=\"", bounds[i], "\"} ", within_[i], "\n");
  return out + str_cat("limbic_request_seconds_bucket{le=\"+Inf\"} ", requests_,
                       "\nlimbic_request_seconds_sum ", seconds_, "\nlimbic_request_seconds_count ",
                       requests_, "\n");
}

}  // namespace limbic::serve
