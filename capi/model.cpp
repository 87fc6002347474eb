#include <cstring>

#include "limbic/capi/handles.h"
#include "limbic/core/file.h"
#include "limbic/core/parallel.h"
#include "limbic/io/decode.h"
#include "limbic/io/loader.h"
#include "limbic/session/session.h"

using namespace limbic;
using namespace limbic::capi;
using session::Session;

namespace {

struct ModelObject : Object {
  static constexpr const char* name = "limbic_model";
  std::unique_ptr<Session> session;
  std::vector<std::string> remarks;
};

struct PreparedObject : Object {
  static constexpr const char* name = "limbic_prepared";
  std::shared_ptr<ModelObject> model;
  session::Prepared prepared;
};

struct AnswersObject : Object {
  static constexpr const char* name = "limbic_answers";
  std::shared_ptr<ModelObject> model;
  using One = Session::Outcome;
  std::vector<One> all;

  const One& at(size_t picture) const {
    check(picture < all.size(), "picture ", picture, ": there are ", all.size());
    return all[picture];
  }
};

std::string text_or_empty(const char* text) { return text ? text : ""; }

session::Source source_of(const limbic_open_options* options, std::string path) {
  const auto o = taken(options, sizeof(size_t), "limbic_open_options");
  session::Source source{.path = std::move(path),
                         .model = text_or_empty(o.model),
                         .state = text_or_empty(o.state),
                         .preset = text_or_empty(o.preset),
                         .image_size = o.image_size,
                         .labels = text_or_empty(o.labels)};
  if (o.batch != 0) source.batch = o.batch;
  if (o.bf16 != 0) source.dtype = DType::bf16;
  check(o.image_size >= 0 && o.image_size <= 4096, "image_size: expected 0 to 4096, got ",
        o.image_size);
  return source;
}

void open(const session::Source& source, limbic_model** out) {
  auto object = std::make_shared<ModelObject>();
  object->session = session::open_session(source, object->remarks);
  *out = static_cast<limbic_model*>(give(std::move(object)));
}

io::Picture picture_of(const limbic_picture& p) {
  const auto most = static_cast<size_t>(io::most_pixels());
  check(p.height > 0 && p.width > 0 && p.height <= most && p.width <= most / p.height,
        "picture: ", p.height, " x ", p.width, " pixels, expected 1 to ", most, " in all");
  check(p.stride >= 3 * p.width && p.stride <= SIZE_MAX / 2 / p.height, "picture: a stride of ",
        p.stride, " bytes, a row of ", p.width, " pixels has ", 3 * p.width);
  io::Picture out(static_cast<int64_t>(p.height), static_cast<int64_t>(p.width));
  for (size_t y = 0; y < p.height; ++y)
    std::memcpy(out.row(static_cast<int64_t>(y)), p.rgb + y * p.stride, 3 * p.width);
  return out;
}

std::span<const uint8_t> bytes_of(const void* bytes, size_t count) {
  check(count > 0 && count <= static_cast<size_t>(io::most_picture_bytes), "picture: ", count,
        " bytes, expected 1 to ", io::most_picture_bytes);
  return {static_cast<const uint8_t*>(bytes), count};
}

session::Prepared prepare(const std::shared_ptr<ModelObject>& model, const limbic_picture& p) {
  const int forms =
      (p.path != nullptr) + (p.bytes != nullptr) + (p.rgb != nullptr) + (p.prepared != nullptr);
  check(forms == 1, "picture: expected one of path, bytes, rgb and prepared, got ", forms);
  const Session& session = *model->session;
  if (p.path) return session.prepare(read_file(p.path, io::most_picture_bytes), p.path);
  if (p.bytes) return session.prepare(bytes_of(p.bytes, p.count), "picture");
  if (p.rgb) return session.prepare(picture_of(p));
  const auto prepared = find<PreparedObject>(p.prepared);
  check(prepared->model == model, "picture: was prepared for another model");
  return prepared->prepared;
}

// What a picture cannot be used for is its own; everything else is the call's.
std::string prepare_or_reason(const std::shared_ptr<ModelObject>& model, const limbic_picture& p,
                              session::Prepared& out) {
  const std::string name = p.path ? p.path : "picture";
  return io::reason_to_skip(name, [&] { out = prepare(model, p); });
}

void check_pictures(const limbic_picture* pictures, size_t count) {
  check(pictures != nullptr && count > 0, "pictures: expected one at least");
  check(count <= size_t{1} << 24, "pictures: ", count, " at once, at most ", size_t{1} << 24);
}

}  // namespace

limbic_status limbic_open(const char* path, const limbic_open_options* options,
                          limbic_model** model) {
  return guarded([&] {
    check(path != nullptr && model != nullptr, "limbic_open: path and model must not be null");
    open(source_of(options, path), model);
  });
}

limbic_status limbic_open_bytes(const void* bytes, size_t count, const limbic_open_options* options,
                                limbic_model** model) {
  return guarded([&] {
    check(bytes != nullptr && count > 0 && model != nullptr,
          "limbic_open_bytes: expected bytes and a place for the model");
    session::Source source = source_of(options, "bytes in memory");
    source.file = in_memory({static_cast<const uint8_t*>(bytes), count}, source.path);
    open(source, model);
  });
}

limbic_status limbic_model_free(limbic_model* model) {
  return guarded([&] { release<ModelObject>(model); });
}

limbic_status limbic_get_model_info(limbic_model* model, limbic_model_info* info) {
  return guarded([&] {
    check(info != nullptr && info->size == sizeof *info, "limbic_model_info.size: expected ",
          sizeof *info);
    const auto object = find<ModelObject>(model);
    const Session& s = *object->session;
    const limbic_kind kinds[] = {LIMBIC_CLASSES, LIMBIC_BINARY, LIMBIC_MULTILABEL};
    info->kind = s.is_emotion() ? LIMBIC_EMOTION : kinds[static_cast<size_t>(s.kind())];
    info->classes = s.labels().size();
    info->features = static_cast<size_t>(s.feature_width());
    info->batch = static_cast<size_t>(s.batch());
  });
}

const char* limbic_label(limbic_model* model, size_t index) {
  const char* label = nullptr;
  guarded([&] {
    const auto object = find<ModelObject>(model);
    const auto& labels = object->session->labels();
    check(index < labels.size(), "class ", index, ": the model has ", labels.size());
    label = labels[index].c_str();
  });
  return label;
}

const char* limbic_remark(limbic_model* model, size_t index) {
  const char* remark = nullptr;
  guarded([&] {
    const auto object = find<ModelObject>(model);
    if (index < object->remarks.size()) remark = object->remarks[index].c_str();
  });
  return remark;
}

limbic_status limbic_warm_up(limbic_model* model) {
  return guarded([&] { find<ModelObject>(model)->session->warm_up(); });
}

limbic_status limbic_prepare(limbic_model* model, const limbic_picture* picture,
                             limbic_prepared** prepared) {
  return guarded([&] {
    check(picture != nullptr && prepared != nullptr, "limbic_prepare: null arguments");
    auto object = std::make_shared<PreparedObject>();
    object->model = find<ModelObject>(model);
    object->prepared = prepare(object->model, *picture);
    *prepared = static_cast<limbic_prepared*>(give(std::move(object)));
  });
}

limbic_status limbic_prepared_free(limbic_prepared* prepared) {
  return guarded([&] { release<PreparedObject>(prepared); });
}

limbic_status limbic_predict(limbic_model* model, const limbic_picture* pictures, size_t count,
                             limbic_answers** answers) {
  return guarded([&] {
    check(answers != nullptr, "answers: is null");
    check_pictures(pictures, count);
    auto out = std::make_shared<AnswersObject>();
    out->model = find<ModelObject>(model);
    out->all = out->model->session->answer_each(count, [&](size_t i, session::Prepared& into) {
      return prepare_or_reason(out->model, pictures[i], into);
    });
    *answers = static_cast<limbic_answers*>(give(std::move(out)));
  });
}

limbic_status limbic_answers_free(limbic_answers* answers) {
  return guarded([&] { release<AnswersObject>(answers); });
}

size_t limbic_answers_count(limbic_answers* answers) {
  size_t count = 0;
  guarded([&] { count = find<AnswersObject>(answers)->all.size(); });
  return count;
}

const char* limbic_answer_error(limbic_answers* answers, size_t picture) {
  const char* error = nullptr;
  guarded([&] {
    const auto object = find<AnswersObject>(answers);
    if (const auto& one = object->at(picture); !one.error.empty()) error = one.error.c_str();
  });
  return error;
}

size_t limbic_answer_class(limbic_answers* answers, size_t picture) {
  size_t label = SIZE_MAX;
  guarded([&] {
    const auto object = find<AnswersObject>(answers);
    if (const auto& one = object->at(picture); one.error.empty())
      label = static_cast<size_t>(one.answer.label);
  });
  return label;
}

limbic_status limbic_answer_probabilities(limbic_answers* answers, size_t picture,
                                          double* probabilities, size_t count) {
  return guarded([&] {
    const auto object = find<AnswersObject>(answers);
    const auto& one = object->at(picture);
    require(one.error.empty(), one.error);
    check_room(probabilities, count, one.answer.probabilities.size(), "probabilities");
    std::copy(one.answer.probabilities.begin(), one.answer.probabilities.end(), probabilities);
  });
}

const char* limbic_answer_json(limbic_answers* answers, size_t picture, const char* image,
                               size_t top) {
  thread_local std::string text;
  const limbic_status status = guarded([&] {
    const auto object = find<AnswersObject>(answers);
    const auto& one = object->at(picture);
    const auto name = image ? std::optional<std::string>(image) : std::nullopt;
    check(top <= size_t{1} << 24, "top: expected up to ", size_t{1} << 24, ", got ", top);
    text = one.error.empty() ? session::to_json(*object->model->session, one.answer, name,
                                                static_cast<int64_t>(top))
                             : session::error_json(one.error, name);
  });
  return status == LIMBIC_OK ? text.c_str() : nullptr;
}

limbic_status limbic_features(limbic_model* model, const limbic_picture* pictures,
                              size_t pictures_count, float* features, size_t count) {
  return guarded([&] {
    const auto object = find<ModelObject>(model);
    const Session& session = *object->session;
    check_pictures(pictures, pictures_count);
    const auto width = static_cast<size_t>(session.feature_width());
    check_room(features, count, pictures_count * width, "features");
    const auto batch = static_cast<size_t>(session.batch());
    for (size_t begin = 0; begin < pictures_count; begin += batch) {
      const size_t n = std::min(batch, pictures_count - begin);
      std::vector<session::Prepared> prepared(n);
      parallel_for_dynamic(static_cast<int64_t>(n), [&](int64_t k) {
        const auto i = static_cast<size_t>(k);
        prepared[i] = prepare(object, pictures[begin + i]);
      });
      const Tensor rows = session.features(prepared);
      std::memcpy(features + begin * width, rows.data(), static_cast<size_t>(rows.bytes()));
    }
  });
}
