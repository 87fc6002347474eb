#include "limbic/io/check.h"
#include "limbic/hash/hash.h"

#include <algorithm>
#include <filesystem>
#include <map>
#include <set>

#include "limbic/core/error.h"
#include "limbic/core/file.h"
#include "limbic/core/parallel.h"
#include "limbic/io/byte_budget.h"
#include "limbic/io/decode.h"

namespace limbic::io {
namespace {

struct Finding {
  std::string hash;    // empty where the file cannot be read
  std::string reason;  // empty where the picture decodes
  std::string damage;  // empty where it decodes without a remark
  std::optional<Look> look;
};

Finding look_at(const std::string& path, ByteBudget& decoding) {
  Finding out;
  out.reason = reason_to_skip(path, [&] {
    const std::vector<uint8_t> bytes = read_file(path, most_picture_bytes);
    out.hash = sha256(bytes);
    const ByteBudget::Share share = decoding.take(decoded_bytes(bytes));
    const DecodedFile decoded = decode_all(bytes, path);
    out.damage = decoded.damage;
    out.look = look_of(decoded.picture);
  });
  return out;
}

}  // namespace

DatasetCheck check_dataset(const Dataset& data, const CheckOptions& options) {
  const std::vector<Sample>& samples = data.samples;
  std::vector<Finding> findings(samples.size());
  constexpr int64_t chunk = 64, decode_bytes = int64_t{256} << 20;
  ByteBudget decoding(decode_bytes);
  const int64_t n = data.size();
  for (int64_t begin = 0; begin < n; begin += chunk) {
    const int64_t end = std::min(n, begin + chunk);
    parallel_for_dynamic(end - begin, [&](int64_t i) {
      const size_t at = static_cast<size_t>(begin + i);
      findings[at] = look_at(samples[at].path, decoding);
    });
    if (options.progress) options.progress(end, n);
  }

  DatasetCheck out;
  out.classes = data.classes;
  out.usable.assign(data.classes.size(), 0);
  std::map<std::string, std::vector<size_t>> by_hash;
  for (size_t i = 0; i < samples.size(); ++i) {
    Finding& found = findings[i];
    if (!found.hash.empty()) by_hash[found.hash].push_back(i);
    if (!found.damage.empty()) out.damaged.push_back({samples[i].path, found.damage});
    if (found.reason.empty())
      ++out.usable[static_cast<size_t>(samples[i].label)];
    else
      out.unusable.push_back({samples[i].path, found.reason});
    out.looks.push_back(std::move(found.look));
  }
  const std::string reason_of_flat = "of one colour: a placeholder";
  for (size_t i = 0; i < samples.size(); ++i)
    if (out.looks[i] && out.looks[i]->flat)
      out.placeholders.push_back({samples[i].path, reason_of_flat});
  for (const auto& [hash, same] : by_hash) {
    if (same.size() < 2) continue;
    std::set<int64_t> labels;
    out.duplicates.emplace_back();
    for (size_t i : same) {
      out.duplicates.back().push_back(samples[i].path);
      labels.insert(samples[i].label);
    }
    const auto& look = out.looks[same[0]];
    if (same.size() < 3 || labels.size() < 2 || !look || look->flat) continue;
    for (size_t i : same)
      out.placeholders.push_back(
          {samples[i].path, str_cat("a placeholder: the same picture ", same.size(), " times, in ",
                                    labels.size(), " classes")});
  }
  std::sort(out.duplicates.begin(), out.duplicates.end());  // by path, not by hash
  std::sort(out.placeholders.begin(), out.placeholders.end(),
            [](const auto& a, const auto& b) { return a.path < b.path; });
  out.other_files = data.other_files;
  out.left_out = data.left_out;
  return out;
}

DatasetCheck check_dataset(const std::string& dir, const CheckOptions& options) {
  const FolderScan scan = scan_dataset(dir);
  DatasetCheck out = check_dataset(scan.dataset, options);
  out.empty_classes = scan.empty_classes;
  return out;
}

std::vector<std::vector<std::string>> contradictions(const std::vector<const Dataset*>& parts) {
  struct Place {
    std::string path;
    std::pair<size_t, int64_t> part_and_label;
  };
  std::map<uintmax_t, std::vector<Place>> by_size;
  for (size_t part = 0; part < parts.size(); ++part)
    for (const Sample& sample : parts[part]->samples) {
      std::error_code error;
      const auto size = std::filesystem::file_size(sample.path, error);
      if (!error) by_size[size].push_back({sample.path, {part, sample.label}});
    }
  std::vector<std::vector<std::string>> out;
  for (const auto& [size, places] : by_size) {
    if (places.size() < 2 || size > static_cast<uintmax_t>(most_picture_bytes)) continue;
    std::map<std::string, std::vector<const Place*>> by_hash;
    for (const Place& place : places)
      reason_to_skip(place.path, [&] {
        by_hash[sha256(read_file(place.path, most_picture_bytes))].push_back(&place);
      });
    for (const auto& entry : by_hash) {
      const std::vector<const Place*>& same = entry.second;
      const auto differs = [&](const Place* p) {
        return p->part_and_label != same[0]->part_and_label;
      };
      if (std::none_of(same.begin(), same.end(), differs)) continue;
      out.emplace_back();
      for (const Place* place : same) out.back().push_back(place->path);
    }
  }
  std::sort(out.begin(), out.end());
  return out;
}

}  // namespace limbic::io
