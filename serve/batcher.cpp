#include "limbic/serve/batcher.h"

#include <algorithm>
#include <barrier>
#include <chrono>

namespace limbic::serve {

Batcher::Batcher(limbic_model* model, size_t batch, size_t most, size_t cores)
    : model_(model), batch_(batch), most_(most) {
  seconds_for(cores, 1);  // makes what is needed
  seconds_for(1, batch);
  const double beside = seconds_for(cores, 1) / static_cast<double>(cores),
               together = seconds_for(1, batch) / static_cast<double>(batch);
  if (beside <= together) batch_ = 1;
  for (size_t i = 0; i < (batch_ == 1 ? cores : 1); ++i) threads_.emplace_back([this] { run(); });
}

// Of one call, where so many callers ask at the same time about so many pictures each: the least of
// five times.
double Batcher::seconds_for(size_t callers, size_t pictures) const {
  static const std::vector<uint8_t> grey(64 * 64 * 3, 127);
  const std::vector<limbic_picture> all(pictures, limbic_picture_rgb(grey.data(), 64, 64, 192));
  std::vector<double> best(callers, 1e30);
  std::barrier together(static_cast<std::ptrdiff_t>(callers));
  std::vector<std::thread> threads;
  for (size_t c = 0; c < callers; ++c)
    threads.emplace_back([&, c] {
      for (int i = 0; i < 5; ++i) {
        together.arrive_and_wait();
        const auto start = std::chrono::steady_clock::now();
        limbic_answers* answers = nullptr;
        limbic_predict(model_, all.data(), all.size(), &answers);
        limbic_answers_free(answers);
        const std::chrono::duration<double> time = std::chrono::steady_clock::now() - start;
        best[c] = std::min(best[c], time.count());
      }
    });
  for (std::thread& t : threads) t.join();
  return *std::max_element(best.begin(), best.end());
}

Batcher::~Batcher() {
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
  }
  changed_.notify_all();
  for (std::thread& t : threads_) t.join();
}

size_t Batcher::waiting() const {
  const std::lock_guard lock(mutex_);
  return tickets_.size();
}

std::optional<std::vector<Reply>> Batcher::ask(const std::vector<Prepared>& pictures) {
  std::vector<std::future<Reply>> coming;
  {
    const std::lock_guard lock(mutex_);
    if (tickets_.size() + pictures.size() > most_) return std::nullopt;
    for (const Prepared& picture : pictures) {
      tickets_.push_back({picture, {}});
      coming.push_back(tickets_.back().reply.get_future());
    }
  }
  changed_.notify_all();
  std::vector<Reply> out;
  for (auto& reply : coming) out.push_back(reply.get());
  return out;
}

void Batcher::run() {
  while (true) {
    std::vector<Ticket> batch;
    {
      std::unique_lock lock(mutex_);
      changed_.wait(lock, [&] { return stop_ || !tickets_.empty(); });
      if (tickets_.empty()) return;
      while (!tickets_.empty() && batch.size() < batch_) {
        batch.push_back(std::move(tickets_.front()));
        tickets_.pop_front();
      }
    }
    std::vector<limbic_picture> pictures;
    for (const Ticket& t : batch) pictures.push_back(limbic_picture_prepared(t.picture.get()));
    limbic_answers* answers = nullptr;
    Reply reply;
    if (limbic_predict(model_, pictures.data(), pictures.size(), &answers) == LIMBIC_OK)
      reply.answers = {answers, [](limbic_answers* a) { limbic_answers_free(a); }};
    else
      reply.error = limbic_last_error();
    for (Ticket& t : batch) {
      t.reply.set_value(reply);
      ++reply.row;
    }
  }
}

}  // namespace limbic::serve
