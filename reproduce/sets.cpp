#include "limbic/reproduce/sets.h"

#include <algorithm>
#include <filesystem>
#include <set>
#include <unordered_map>

#include "limbic/core/error.h"
#include "limbic/hash/hash.h"
#include "limbic/io/check.h"
#include "limbic/svm/cross_validation.h"

namespace limbic::reproduce {
namespace {

using Json = cli::Journal::Json;

// What a look at the files depends on.
std::string key_of(const io::Dataset& data) {
  std::vector<std::string> paths;
  std::string labels;
  for (const io::Sample& s : data.samples) {
    paths.push_back(s.path);
    labels += str_cat(s.label, ' ');
  }
  return sha256_of_text(stamps_of(paths) + labels);
}

Json to_json(const std::vector<io::SkippedSample>& samples) {
  Json out = Json::array();
  for (const auto& s : samples) out.push_back({s.path, s.reason});
  return out;
}

std::vector<io::SkippedSample> skipped_from(const Json& json) {
  std::vector<io::SkippedSample> out;
  for (const Json& s : json) out.push_back({s.at(0), s.at(1)});
  return out;
}

Json to_json(const std::vector<std::optional<io::Look>>& looks) {
  Json out = Json::array();
  for (const auto& look : looks) {
    if (!look) {
      out.push_back(nullptr);
      continue;
    }
    std::string small;  // hexadecimal
    for (int8_t v : look->small) {
      constexpr const char* digits = "0123456789abcdef";
      small += digits[static_cast<uint8_t>(v) >> 4];
      small += digits[static_cast<uint8_t>(v) & 15];
    }
    out.push_back({look->signs, look->mirrored, look->flat, small});
  }
  return out;
}

std::vector<std::optional<io::Look>> looks_from(const Json& json) {
  std::vector<std::optional<io::Look>> out;
  for (const Json& j : json) {
    if (j.is_null()) {
      out.emplace_back();
      continue;
    }
    io::Look look{.signs = j.at(0), .mirrored = j.at(1), .small = {}, .flat = j.at(2)};
    const std::string small = j.at(3);
    const auto digit = [&](size_t at) {
      const char c = small.at(at);
      return c <= '9' ? c - '0' : c - 'a' + 10;
    };
    for (size_t i = 0; i < look.small.size(); ++i)
      look.small[i] = static_cast<int8_t>(digit(2 * i) * 16 + digit(2 * i + 1));
    out.emplace_back(look);
  }
  return out;
}

// What a look at every file found, from the journal where the files are the same.
Json look_through(const io::Dataset& data, const std::string& key, cli::Journal& journal,
                  const ProgressFunction& progress) {
  return journal.once(key_of(data), {{"check", key}}, [&] {
    const io::DatasetCheck check = io::check_dataset(
        data, {.progress = [&](int64_t done, int64_t total) {
          if (progress)
            progress({.task = key + ": looking at every picture", .done = done, .total = total});
        }});
    return Json{{"unusable", to_json(check.unusable)},
                {"placeholders", to_json(check.placeholders)},
                {"duplicates", check.duplicates},
                {"looks", to_json(check.looks)}};
  });
}

// The classes that the primary set has, in its order; pictures of others are left out.
io::Dataset in_classes(const io::Dataset& data, const std::vector<std::string>& classes,
                       SetCheck& check) {
  io::Dataset out;
  out.classes = classes;
  std::map<std::string, int64_t> without;
  for (const io::Sample& s : data.samples) {
    const std::string& name = data.classes[static_cast<size_t>(s.label)];
    const auto found = std::find(classes.begin(), classes.end(), name);
    if (found == classes.end())
      ++without[name];
    else
      out.samples.push_back({s.path, found - classes.begin()});
  }
  for (const auto& [name, n] : without)
    check.notes.push_back(str_cat("its ", n, " pictures of '", name,
                                  "' are left out: the primary set has no such class"));
  return out;
}

}  // namespace

Sets open_sets(const Options& options, cli::Journal& journal, const ProgressFunction& progress) {
  Sets out;
  std::vector<std::string> classes;
  for (const SetSource& source : options.sets) {
    SetCheck check{.key = source.key, .path = source.path};
    io::PartedSet set = io::read_set(source.path, source.layout, options.layout);
    check.notes = set.notes;
    io::Dataset whole = set.whole();
    const bool primary = out.sets.empty();
    if (primary) {
      classes = whole.classes;
      require(classes.size() >= 2, source.path, ": at least two classes are needed");
    } else {
      whole.left_out.swap(check.left_out);
      whole = in_classes(whole, classes, check);
      require(!whole.samples.empty(), source.path,
              ": has no picture of a class that the primary set has");
    }
    if (primary) check.left_out = whole.left_out;
    const Json found = look_through(whole, source.key, journal, progress);
    check.unusable = skipped_from(found.at("unusable"));
    check.placeholders = skipped_from(found.at("placeholders"));
    check.duplicates = found.at("duplicates").get<std::vector<std::vector<std::string>>>();
    std::set<std::string> gone;
    for (const auto* list : {&check.unusable, &check.placeholders})
      for (const auto& s : *list) gone.insert(s.path);
    const auto looks = looks_from(found.at("looks"));
    SetResult result{.key = source.key, .data = {}, .answers = {}};
    result.data.classes = classes;
    for (size_t i = 0; i < whole.samples.size(); ++i) {
      if (gone.contains(whole.samples[i].path)) continue;
      result.data.samples.push_back(whole.samples[i]);
      if (primary) out.looks.push_back(looks.at(i));
    }
    check.counts = result.data.class_counts();
    if (primary)
      for (size_t c = 0; c < classes.size(); ++c)
        require(check.counts[c] > 0, source.path, ": no usable picture of class '", classes[c],
                "'");
    std::string lacks;
    for (size_t c = 0; c < classes.size(); ++c)
      if (check.counts[c] == 0) lacks += (lacks.empty() ? "" : ", ") + classes[c];
    if (!lacks.empty())
      check.notes.push_back("has no pictures of " + lacks +
                            ": it is scored on the classes that it has; an answer of another "
                            "class is a wrong one");
    if (primary && (set.validation || set.test)) {
      for (auto* part : {&set.train, set.validation ? &*set.validation : nullptr,
                         set.test ? &*set.test : nullptr})
        if (part)
          std::erase_if(part->samples, [&](const io::Sample& s) { return gone.contains(s.path); });
      out.parts = std::move(set);
    }
    out.checks.push_back(std::move(check));
    out.sets.push_back(std::move(result));
  }
  return out;
}

std::string stamps_of(const std::vector<std::string>& paths) {
  std::string out;
  for (const std::string& path : paths) {
    std::error_code error;
    const auto size = std::filesystem::file_size(path, error);
    const auto time = std::filesystem::last_write_time(path, error);
    out += str_cat(path, ' ', error ? 0 : size, ' ', error ? 0 : time.time_since_epoch().count(),
                   '\n');
  }
  return out;
}

std::vector<Round> divide(const Options& options, const Sets& sets) {
  const io::Dataset& all = sets.sets[0].data;
  std::unordered_map<std::string, int64_t> index;
  for (int64_t i = 0; i < all.size(); ++i) index[all.samples[static_cast<size_t>(i)].path] = i;
  std::vector<Round> out;
  const auto add = [&](Round round) {
    for (const io::Sample& s : round.test.samples) round.test_index.push_back(index.at(s.path));
    out.push_back(std::move(round));
  };
  for (int64_t s = 0; s < options.seeds; ++s) {
    const uint64_t seed = options.seed + static_cast<uint64_t>(s);
    if (options.folds == 0) {
      Round round{.seed = seed};
      if (sets.parts && sets.parts->test) {
        round.train = sets.parts->train;
        round.test = *sets.parts->test;
        round.validation = sets.parts->validation;
      } else {
        io::Split parts = io::split(all, options.fit.train_fraction, seed);
        round.train = std::move(parts.train);
        round.test = std::move(parts.held_out);
      }
      add(std::move(round));
      continue;
    }
    std::vector<int> labels;
    for (const io::Sample& sample : all.samples) labels.push_back(static_cast<int>(sample.label));
    const auto counts = all.class_counts();
    for (size_t c = 0; c < counts.size(); ++c)
      require(counts[c] >= options.folds, "--folds ", options.folds, ": class '", all.classes[c],
              "' has ", counts[c], " pictures, fewer than folds");
    const std::vector<int> fold = svm::deal_folds(labels, static_cast<int>(options.folds), seed);
    for (int64_t f = 0; f < options.folds; ++f) {
      Round round{.seed = seed, .fold = f};
      round.train.classes = round.test.classes = all.classes;
      for (size_t i = 0; i < fold.size(); ++i)
        (fold[i] == f ? round.test : round.train).samples.push_back(all.samples[i]);
      add(std::move(round));
    }
  }
  return out;
}

std::vector<NearDuplicate> near_duplicates(const Round& round, const Sets& sets) {
  const io::Dataset& all = sets.sets[0].data;
  std::set<std::string> learnt;
  for (const io::Sample& s : round.train.samples) learnt.insert(s.path);
  std::set<int64_t> tested(round.test_index.begin(), round.test_index.end());
  std::vector<std::optional<io::Look>> a, b;
  std::vector<int64_t> ia, ib;
  for (int64_t i = 0; i < all.size(); ++i) {
    const auto at = static_cast<size_t>(i);
    if (tested.contains(i)) {
      b.push_back(sets.looks[at]);
      ib.push_back(i);
    } else if (learnt.contains(all.samples[at].path)) {
      a.push_back(sets.looks[at]);
      ia.push_back(i);
    }
  }
  std::vector<NearDuplicate> out;
  for (const auto& [i, j] : io::near_duplicates(a, b))
    out.push_back({all.samples[static_cast<size_t>(ia[static_cast<size_t>(i)])].path,
                   all.samples[static_cast<size_t>(ib[static_cast<size_t>(j)])].path});
  return out;
}

}  // namespace limbic::reproduce
