#include "limbic/emotion/fit.h"
#include "limbic/hash/hash.h"

#include <algorithm>
#include <set>

#include "limbic/core/file.h"
#include "limbic/io/decode.h"
#include "limbic/io/png.h"
#include "limbic/io/resize.h"
#include "limbic/network/network.h"
#include "limbic/train/checkpoint.h"

namespace limbic::emotion {
namespace {

ProgressFunction with_role(const std::string& role, const ProgressFunction& progress) {
  if (!progress) return {};
  return [role, progress](Progress p) {
    p.task = role + ": " + p.task;
    progress(p);
  };
}

class Fitter {
 public:
  Fitter(const io::Dataset& data, const FitOptions& options, const ProgressFunction& progress)
      : options_(options), progress_(progress) {
    check(options.classifier);
    require(options.hold_out_test || !options.select_by_test,
            "the epoch cannot be chosen by test pictures where none are held out");
    require(!options.validation || !options.select_by_test,
            "either validation pictures choose the epoch or the test pictures do (--select test)");
    for (const auto& part : {options.validation, options.test})
      require(!part || part->classes == data.classes,
              "the parts of the data set have other classes than the pictures to learn from");
    require(data.classes.size() >= 2, "at least two classes are needed, got ", data.classes.size());
    divide(data);
  }

  FitResult prepare() {
    const auto classes = class_count();
    EmotionModel& model = result_.model;
    model.classes = result_.train.classes;
    // Everything that can be wrong with the arguments is found before the long work.
    std::vector<Branch> branches;
    for (const auto& [role, spec] : specs())
      if (spec->model != "none") branches.push_back(branch(role, *spec, classes));
    add_blocks(branches);
    require(!branches.empty(), "all three CNNs are 'none': there is nothing to see with");
    require_usable(branches[0].network.preset.decode_options());
    for (Branch& b : branches) {
      if (b.external) continue;
      if (b.role != "supplement" && options_.training.epochs > 0) fine_tune(b);
      b.hash = train::sha256_of(b.network.parameters);
    }
    model.branches = std::move(branches);
    extract_all();
    find_validation_rows();
    return std::move(result_);
  }

  FitResult run() {
    result_ = prepare();
    const train::Communicator* together = options_.training.communicator;
    if (together && !together->leads()) return std::move(result_);
    EmotionModel& model = result_.model;
    if (progress_) progress_({.task = "fitting the SVM", .done = 0, .total = 1, .unit = "model"});
    model.classifier =
        train_classifier(model.roles(), result_.train_features, class_count(), options_.classifier);
    if (progress_) progress_({.task = "fitting the SVM", .done = 1, .total = 1, .unit = "model"});
    if (!model.classifier.svm.converged())
      result_.notes.push_back(
          "the SVM reached its iteration limit before it converged; try a "
          "smaller --C or --scale block");
    if (!model.classifier.dense.converged)
      result_.notes.push_back("the dense layer did not reach the least loss; try --scale block");
    if (result_.test_features.labels.size() > 0)
      score(class_count());
    else if (result_.test.size() == 0 && options_.training.epochs == 0)
      cross_validate();
    else if (result_.test.size() > 0)
      result_.notes.push_back(
          "not one of the pictures held out could be read: no accuracy is known");
    if (options_.keep_thumbnails) keep_thumbnails();
    remember();
    if (!options_.out.empty()) save_model(model, options_.out);
    return std::move(result_);
  }

 private:
  std::vector<std::pair<std::string, const BranchSpec*>> specs() const {
    return {{"diff1", &options_.diff1},
            {"diff2", &options_.diff2},
            {"supplement", &options_.supplement}};
  }

  void divide(const io::Dataset& data) {
    const bool tunes = options_.training.epochs > 0, divides = tunes || options_.always_hold_out;
    result_.train = data;
    if (options_.test) {
      result_.test = *options_.test;
    } else if (divides && options_.hold_out_test) {
      io::Split parts = io::split(data, options_.train_fraction, options_.training.seed);
      result_.train = std::move(parts.train);
      result_.test = std::move(parts.held_out);
    }
    result_.test.classes = data.classes;
    if (!divides && !options_.validation) return;
    tuned_ = result_.train;
    validation_ = result_.test;
    if (options_.validation) {
      validation_ = *options_.validation;
      result_.train.samples.insert(result_.train.samples.end(), validation_.samples.begin(),
                                   validation_.samples.end());
    } else if (!options_.select_by_test) {
      io::Split inner =
          io::split(result_.train, options_.train_fraction, options_.training.seed + 1);
      tuned_ = std::move(inner.train);
      validation_ = std::move(inner.held_out);
    }
    if (validation_.size() == 0 && tunes)
      result_.notes.push_back("too few pictures to hold some out: the last epoch is taken");
  }

  Branch branch(const std::string& role, const BranchSpec& spec, int64_t classes) {
    const bool supplement = role == "supplement";
    require(!supplement || !spec.weights.empty(),
            "the supplementary CNN must know objects already: give --supplement-weights, or "
            "--supplement none");
    const bool as_is = supplement || (options_.training.epochs == 0 && !spec.weights.empty());
    Branch b = make_branch(role, spec, as_is ? 0 : classes, options_.training.seed, result_.notes);
    if (supplement) {
      b.layer = "logits";
      b.softmax = true;
    }
    return b;
  }

  // In the order diff1, diff2, supplement, others by name.
  void add_blocks(std::vector<Branch>& branches) const {
    const std::vector<std::string> cnns = {"diff1", "diff2", "supplement"};
    const auto place = [&](const std::string& role) {
      return std::find(cnns.begin(), cnns.end(), role) - cnns.begin();
    };
    for (const auto& [name, file] : options_.blocks) {
      for (const Branch& b : branches)
        require(b.role != name, "--block ", name, ": there is a ",
                b.external ? "block of that name" : "CNN in that place already");
      Branch b{.role = name};
      b.features = file;
      b.hash = file->hash();
      b.external = true;
      branches.push_back(std::move(b));
    }
    std::stable_sort(branches.begin(), branches.end(), [&](const Branch& a, const Branch& b) {
      return std::pair(place(a.role), a.role) < std::pair(place(b.role), b.role);
    });
  }

  void fine_tune(Branch& b) {
    train::TrainOptions o = options_.training;
    if (!options_.out.empty()) o.out = options_.out + "/training/" + b.role;
    if (options_.after_epoch)
      o.after_epoch = [&](const std::vector<train::EpochResult>& epochs) {
        options_.after_epoch(b.role, epochs);
      };
    network::Network& n = b.network;
    train::TrainData data{tuned_, validation_, n.preset, options_.augmentation};
    train::TrainResult trained = train::train(n.model, n.parameters, data, o,
                                              with_role(b.role + " " + n.model.name, progress_));
    for (const auto& s : trained.skipped) skip(s);
    for (const auto& text : trained.notes) result_.notes.push_back(b.role + ": " + text);
    result_.trainings[b.role] = std::move(trained);
  }

  // Stops before the long work where a part has no picture that can be read, or all are of one
  // class. Reads no more than it must.
  void require_usable(const io::DecodeOptions& decoding) const {
    std::string reason;
    const auto readable = [&](const io::Sample& sample) {
      try {
        io::decode(read_file(sample.path, io::most_picture_bytes), sample.path, decoding);
        return true;
      } catch (const Error& e) {
        reason = e.what();
        return false;
      }
    };
    const io::Dataset& learning = tuned_.samples.empty() ? result_.train : tuned_;
    std::set<int64_t> classes;
    for (const io::Sample& sample : learning.samples)
      if (!classes.contains(sample.label) && readable(sample)) classes.insert(sample.label);
    require(!classes.empty(), "not one of the ", learning.size(),
            " pictures to learn from can be read (", reason, ")");
    require(classes.size() >= 2, "only pictures of one class ('",
            result_.train.classes[static_cast<size_t>(*classes.begin())],
            "') could be used; the SVM needs two");
    for (const auto& [what, part] : {std::pair{"to choose the epoch", &validation_},
                                     std::pair{"held out to test", &result_.test}})
      require(part->samples.empty() ||
                  std::any_of(part->samples.begin(), part->samples.end(), readable),
              "not one of the ", part->size(), " pictures ", what, " can be read (", reason, ")");
  }

  void extract_all() {
    ExtractOptions o{
        .batch_size = options_.extract_batch, .cache = {}, .task = "extracting features"};
    if (!options_.out.empty()) o.cache = options_.out + "/cache";
    o.communicator = options_.training.communicator;
    result_.train_features = extract_features(result_.model.branches, result_.train, o, progress_);
    note(result_.train_features);
    require(
        !result_.train_features.labels.empty(),
        "not one of the pictures could be read; the first: ",
        result_.skipped.empty() ? "" : result_.skipped[0].path + ": " + result_.skipped[0].reason);
    const std::set<int64_t> seen(result_.train_features.labels.begin(),
                                 result_.train_features.labels.end());
    require(seen.size() >= 2, "only pictures of one class ('",
            result_.train.classes[static_cast<size_t>(*seen.begin())],
            "') could be used; the SVM needs two");
    if (result_.test.size() == 0) return;
    o.task = "extracting test features";
    result_.test_features = extract_features(result_.model.branches, result_.test, o, progress_);
    note(result_.test_features);
  }

  void find_validation_rows() {
    if (options_.select_by_test) return;
    std::set<std::string> paths;
    for (const io::Sample& sample : validation_.samples) paths.insert(sample.path);
    const auto& indices = result_.train_features.indices;
    for (size_t row = 0; row < indices.size(); ++row)
      if (paths.contains(result_.train.samples[static_cast<size_t>(indices[row])].path))
        result_.validation_rows.push_back(static_cast<int64_t>(row));
  }

  int64_t class_count() const { return std::ssize(result_.train.classes); }

  void score(int64_t classes) {
    const BranchFeatures& test = result_.test_features;
    const Prediction p =
        classify(result_.model.classifier, result_.model.roles(), test.blocks, classes);
    result_.prediction = p;
    result_.svm = network::evaluate_labels(p.labels, test.labels, classes);
    result_.dense = network::evaluate_labels(p.dense_labels, test.labels, classes);
    // A Diff-CNN alone: its own classifier on its own features.
    for (size_t i = 0; i < result_.model.branches.size(); ++i) {
      const Branch& b = result_.model.branches[i];
      if (b.external || b.role == "supplement" || b.network.model.classes != classes) continue;
      if (const auto own = own_labels(b.network, test.blocks[i]); !own.empty())
        result_.single[b.role] = network::evaluate_labels(own, test.labels, classes);
    }
  }

  // Only the SVM learnt, so that other folds than a picture's own tell what it is worth.
  void cross_validate() {
    const BranchFeatures& features = result_.train_features;
    if (features.labels.size() < 2) return;
    result_.cross_validated = network::evaluate_labels(
        cross_predict(result_.model.roles(), features, class_count(), options_.classifier),
        features.labels, class_count());
  }

  void keep_thumbnails() {
    const auto& rows = result_.model.classifier.svm.support_indices;
    const auto total = std::ssize(rows);
    for (const int64_t row : rows) {
      const int64_t sample = result_.train_features.indices[static_cast<size_t>(row)];
      const auto& path = result_.train.samples[static_cast<size_t>(sample)].path;
      const auto png = io::encode_png(io::shrunk(io::decode_file(path), thumbnail_side));
      Tensor bytes({std::ssize(png)}, DType::u8);
      std::copy(png.begin(), png.end(), static_cast<uint8_t*>(bytes.raw()));
      result_.model.thumbnails.push_back(std::move(bytes));
      if (progress_)
        progress_({.task = "keeping thumbnails",
                   .done = std::ssize(result_.model.thumbnails),
                   .total = total});
    }
  }

  void note(const BranchFeatures& features) {
    for (const auto& s : features.skipped) skip(s);
    for (const auto& text : features.notes)
      if (std::find(result_.notes.begin(), result_.notes.end(), text) == result_.notes.end())
        result_.notes.push_back(text);
  }

  void skip(const io::SkippedSample& s) {
    if (skipped_.insert(s.path).second) result_.skipped.push_back(s);
  }

  void remember() {
    auto& r = result_.model.remarks;
    r["training_pictures"] = std::to_string(result_.train_features.labels.size());
    if (result_.cross_validated.samples > 0)
      r["cross_validated_accuracy"] = str_cat(result_.cross_validated.accuracy);
    if (result_.svm.samples == 0) return;
    r["selection"] = options_.training.epochs == 0 ? "the CNNs are used as they came"
                     : options_.select_by_test
                         ? "the epoch was chosen by the test pictures themselves (--select test)"
                     : options_.validation
                         ? "the epoch was chosen by the validation pictures"
                         : "the epoch was chosen by a slice of the training pictures";
    r["test_pictures"] = std::to_string(result_.svm.samples);
    r["test_accuracy"] = str_cat(result_.svm.accuracy);
    r["test_accuracy_dense"] = str_cat(result_.dense.accuracy);
  }

  const FitOptions& options_;
  const ProgressFunction& progress_;
  io::Dataset tuned_, validation_;
  FitResult result_;
  std::set<std::string> skipped_;
};

}  // namespace

std::vector<int64_t> own_labels(const network::Network& n, const Tensor& features) {
  const std::string& last = n.model.classifier;
  if (!n.parameters.contains(last + ".weight")) return {};
  const Tensor& weight = n.parameters.at(last + ".weight").value;
  if (weight.rank() != 2 || weight.dim(1) != features.dim(1)) return {};
  const SoftmaxClassifier head{weight, n.parameters.at(last + ".bias").value};
  const Tensor p = head.probabilities(features);
  std::vector<int64_t> labels;
  for (int64_t i = 0; i < p.dim(0); ++i)
    labels.push_back(network::argmax(p.rows(i, i + 1).values()));
  return labels;
}

Branch make_branch(const std::string& role, const BranchSpec& spec, int64_t classes, uint64_t seed,
                   std::vector<std::string>& notes) {
  Branch branch{.role = role};
  branch.network = network::open_network({.model = spec.model,
                                          .weights = spec.weights,
                                          .classes = classes,
                                          .preset = spec.preset,
                                          .image_size = spec.image_size,
                                          .seed = combine(seed, hash_name(role.c_str()))});
  if (spec.pixel_scale != 1) {
    branch.network.preset.scale *= spec.pixel_scale;
    branch.network.preset.name += str_cat(" x ", spec.pixel_scale);
  }
  for (const std::string& remark : branch.network.remarks) notes.push_back(role + ": " + remark);
  return branch;
}

FitResult fit(const io::Dataset& data, const FitOptions& options,
              const ProgressFunction& progress) {
  return Fitter(data, options, progress).run();
}

FitResult prepare_fit(const io::Dataset& data, const FitOptions& options,
                      const ProgressFunction& progress) {
  return Fitter(data, options, progress).prepare();
}

}  // namespace limbic::emotion
