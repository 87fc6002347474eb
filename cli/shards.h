#pragma once
#include <optional>
#include <string>
#include <vector>

#include "limbic/core/tensor.h"
#include "limbic/io/dataset.h"

namespace limbic::cli {

/// A part of a data set: the photos whose path's hash is `index` modulo `count`.
struct Shard {
  int64_t index = 0, count = 1;  ///< From 0.
  std::string text() const;      ///< "3/8", from 1.
};
/// "I/N". Numbers count from 1 or from 0, as schedulers do: 0/N and N/N are the same part. None of
/// an empty text. Throws Error.
std::optional<Shard> parse_shard(const std::string& text);
io::Dataset part_of(const io::Dataset& data, const Shard& shard);

/// What `extract` writes and `merge` reads: a .safetensors file.
struct FeatureRows {
  Tensor values = {};                   ///< (N,D) f32, sorted by path.
  std::vector<int64_t> labels = {};     ///< N
  std::vector<std::string> paths = {};  ///< N
  std::vector<std::string> classes = {};
  std::string checkpoint, model, layer, preset;
  std::string run = {};    ///< Stands for all that the rows of one run have in common.
  std::string shard = {};  ///< As Shard::text; "": all rows.
};
/// The run of a whole data set, sorted by path.
std::string run_of(const FeatureRows& about, const io::Dataset& data, int64_t batch_size);
void write_rows(const std::string& path, const FeatureRows& rows);
/// All shards of one run in one. Throws Error, naming files, where one is missing or there twice,
/// where they are of several runs, and where a file is no shard.
FeatureRows merged(const std::vector<std::string>& paths);

}  // namespace limbic::cli
