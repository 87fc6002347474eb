#include "limbic/io/check.h"
#include "limbic/hash/hash.h"

#include <algorithm>
#include <filesystem>
#include <map>

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
};

Finding look_at(const std::string& path, ByteBudget& decoding) {
  Finding out;
  out.reason = reason_to_skip(path, [&] {
    const std::vector<uint8_t> bytes = read_file(path, most_picture_bytes);
    out.hash = sha256(bytes);
    const ByteBudget::Share share = decoding.take(decoded_bytes(bytes));
    out.damage = decode_all(bytes, path).damage;
  });
  return out;
}

}  // namespace

DatasetCheck check_dataset(const std::string& dir, const CheckOptions& options) {
  FolderScan scan = scan_dataset(dir);
  const std::vector<Sample>& samples = scan.dataset.samples;
  std::vector<Finding> findings(samples.size());
  constexpr int64_t chunk = 64, decode_bytes = int64_t{256} << 20;
  ByteBudget decoding(decode_bytes);
  const int64_t n = scan.dataset.size();
  for (int64_t begin = 0; begin < n; begin += chunk) {
    const int64_t end = std::min(n, begin + chunk);
    parallel_for_dynamic(end - begin, [&](int64_t i) {
      const size_t at = static_cast<size_t>(begin + i);
      findings[at] = look_at(samples[at].path, decoding);
    });
    if (options.progress) options.progress(end, n);
  }

  DatasetCheck out;
  out.usable.assign(scan.dataset.classes.size(), 0);
  std::map<std::string, std::vector<std::string>> by_hash;
  for (size_t i = 0; i < samples.size(); ++i) {
    if (!findings[i].hash.empty()) by_hash[findings[i].hash].push_back(samples[i].path);
    if (!findings[i].damage.empty()) out.damaged.push_back({samples[i].path, findings[i].damage});
    if (findings[i].reason.empty())
      ++out.usable[static_cast<size_t>(samples[i].label)];
    else
      out.unusable.push_back({samples[i].path, findings[i].reason});
  }
  for (auto& [hash, paths] : by_hash)
    if (paths.size() > 1) out.duplicates.push_back(std::move(paths));
  std::sort(out.duplicates.begin(), out.duplicates.end());  // by path, not by hash
  out.classes = std::move(scan.dataset.classes);
  out.empty_classes = std::move(scan.empty_classes);
  out.other_files = std::move(scan.dataset.other_files);
  out.left_out = std::move(scan.dataset.left_out);
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
