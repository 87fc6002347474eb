#include "limbic/serve/batcher.h"

namespace limbic::serve {

Batcher::Batcher(limbic_model* model, size_t batch, size_t most)
    : model_(model), batch_(batch), most_(most), thread_([this] { run(); }) {}

Batcher::~Batcher() {
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
  }
  changed_.notify_one();
  thread_.join();
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
  changed_.notify_one();
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
