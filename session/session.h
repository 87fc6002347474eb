#pragma once
// session: a model that is opened once and asked by any number of threads.
#include <condition_variable>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "limbic/emotion/model.h"
#include "limbic/network/network.h"
#include "limbic/nn/plan.h"

namespace limbic::session {

/// A picture as the networks of a model see it: for each way of preparing it (1,3,S,S) f32.
struct Prepared {
  std::vector<Tensor> images;
};

/// What a model says of one picture.
struct Answer {
  std::vector<double> probabilities;  ///< In the order of Session::labels().
  int64_t label = 0;                  ///< The class that it names.
};

/// The model of one file or folder, ready to answer. Every member may be called by any thread; a
/// run takes the cores that set_threads gives it.
class Session {
 public:
  /// One CNN, computed as `options` say: kernels are chosen for options.input[0] pictures, and up
  /// to `batch` are computed at once. Labels: of its classes, or none; of one output two, no and
  /// yes. Throws Error where it has no classifier.
  Session(network::Network network, PlanOptions options, std::vector<std::string> labels,
          int64_t batch);
  /// The emotion pipeline; kernels are chosen for `chosen_for` pictures.
  Session(emotion::EmotionModel model, int64_t chosen_for, int64_t batch);
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;
  ~Session();

  bool is_emotion() const { return model_.has_value(); }
  network::OutputKind kind() const { return kind_; }
  /// Names of the classes; the numbers from 0 where nobody named them.
  const std::vector<std::string>& labels() const { return labels_; }
  int64_t batch() const { return batch_; }
  /// Values of one picture's features.
  int64_t feature_width() const { return feature_width_; }
  /// The first network's, for what is to be said of it.
  const Program& program() const;

  /// Decodes the bytes of a picture's file, or takes its pixels. Throws Error "NAME: reason".
  Prepared prepare(std::span<const uint8_t> file, const std::string& name) const;
  Prepared prepare(const io::Picture& picture) const;

  /// One answer a picture, in their order, however many there are. Throws Error where a network
  /// gives NaN or infinity.
  std::vector<Answer> answer(std::span<const Prepared> pictures) const;
  /// The same for `n` pictures of which `prepare(i, into)` makes each, on all threads, and says why
  /// it cannot be used; "" where it can.
  struct Outcome {
    std::string error;
    Answer answer;
  };
  using Prepare = std::function<std::string(size_t i, Prepared& into)>;
  std::vector<Outcome> answer_each(size_t n, const Prepare& prepare) const;
  /// (n, feature_width()) f32: a CNN's "features"; of the pipeline, the blocks that it fuses, raw
  /// and side by side.
  Tensor features(std::span<const Prepared> pictures) const;

  /// Runs every number of pictures up to batch() once, so that no answer waits for code to be made.
  void warm_up() const;

 private:
  struct Lane;
  class Lease;

  struct Member {
    const network::Network* network;
    std::string layer;
    bool softmax = false;
    size_t input = 0;                       ///< Of Prepared::images.
    std::shared_ptr<Program> program = {};  ///< Of as many pictures as kernels are chosen for.
    std::shared_ptr<Program> alone = {};    ///< The same on one thread; made when it is needed.
  };

  void add_member(Member member, PlanOptions options);
  Tensor gather(std::span<const Prepared> pictures, size_t input) const;
  std::vector<Tensor> run(std::span<const Prepared> pictures, const std::string& layer) const;
  void answer_part(std::span<const Prepared> pictures, std::vector<Answer>& out) const;

  std::optional<network::Network> network_;
  std::optional<emotion::EmotionModel> model_;
  mutable std::vector<Member> members_;
  std::vector<io::Preset> presets_;  ///< Of Prepared::images.
  network::OutputKind kind_ = network::OutputKind::classes;
  std::vector<std::string> labels_;
  int64_t batch_ = 1, feature_width_ = 0;

  // Plans for callers at the same time. Who comes first has all threads, who comes while somebody
  // computes has one; no more compute than there are cores, the others wait.
  mutable std::mutex mutex_, making_;
  mutable std::condition_variable returned_;
  mutable std::vector<std::unique_ptr<Lane>> idle_[2];  ///< On all threads, on one.
  mutable int64_t active_ = 0;
};

/// A model to open: a folder that `fit` made, a zip archive of one, or a checkpoint.
struct Source {
  std::string path;                     ///< In messages alone, where `file` is given.
  std::optional<MappedFile> file = {};  ///< In memory.
  std::string model, state, preset;     ///< Of a checkpoint (network/network.h).
  int64_t image_size = 0;               ///< Of a checkpoint.
  std::string labels;                   ///< File with a name of a class in each line.
  int64_t batch = 8;                    ///< Pictures computed at once.
  DType dtype = DType::f32;             ///< f32 or bf16, of a checkpoint.
};
/// Throws Error; `remarks` takes what the user should know.
std::unique_ptr<Session> open_session(const Source& source, std::vector<std::string>& remarks);

/// The names of a network's classes: those of the file `labels`, the checkpoint's, ImageNet's where
/// there are as many (then a remark says so); or none. Throws Error where the file has another
/// number.
std::vector<std::string> class_names(const network::Network& network, const std::string& labels,
                                     std::vector<std::string>& remarks);

/// The answer as one line of JSON, as `limbic predict` and `limbic classify` print it: the emotion
/// and all probabilities, or the `top` most probable classes. Without an image's name: an object
/// without "image".
std::string to_json(const Session& session, const Answer& answer,
                    const std::optional<std::string>& image, int64_t top);
/// {"image":...,"error":...}
std::string error_json(const std::string& error, const std::optional<std::string>& image);
/// The classes from the most probable on, up to `top`; the first of equals.
std::vector<int64_t> most_probable(std::span<const double> probabilities, int64_t top);

}  // namespace limbic::session
