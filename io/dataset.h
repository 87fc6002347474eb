#pragma once
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace limbic::io {

struct Sample {
  std::string path;
  int64_t label = 0;  ///< Index into Dataset::classes.
  bool operator==(const Sample&) const = default;
};

/// A picture that is not used, and why.
struct SkippedSample {
  std::string path, reason;
  bool operator==(const SkippedSample&) const = default;
};

struct Dataset {
  std::vector<std::string> classes;
  std::vector<Sample> samples;
  /// What lies in the folder and is no part of the data set: pictures in no class, links.
  std::vector<SkippedSample> left_out;
  std::vector<std::string> other_files;  ///< Below the classes, and no pictures by name or content.

  int64_t size() const { return static_cast<int64_t>(samples.size()); }
  /// Samples of each class.
  std::vector<int64_t> class_counts() const;
};

/// A labelled folder as it is: one sub-folder a class, alphabetical by bytes, each searched with
/// all below it. A picture is what has a picture's ending or, under any other name, its content.
/// Names that start with a dot are passed over, and __MACOSX and @eaDir, which are named in
/// other_files. Links to folders are not followed: they could form a circle.
struct FolderScan {
  Dataset dataset;
  std::vector<std::string> empty_classes;
};
/// Throws Error where there is no such folder, no sub-folder, or one that cannot be listed or has a
/// name that is not UTF-8; and where sub-folders are no classes but data sets of their own: parts
/// like train/ and val/, or a folder with the other classes' names in it.
FolderScan scan_folders(const std::string& dir);

/// The same of a table: a line "path,label" a picture, paths from the table's folder, cells in
/// quotation marks where they hold commas; a heading may name the columns (path, file, filename or
/// image; label, class or emotion). Classes alphabetical by bytes. Throws Error "PATH:LINE: ...".
FolderScan scan_csv(const std::string& path);
/// scan_csv of a file, scan_folders of anything else.
FolderScan scan_dataset(const std::string& path);

/// Where a folder holds train/ and val/ or test/ (whatever their usual spelling), each with the
/// classes' folders, and so is a data set in parts: their paths, by "train", "val" and "test".
/// Empty where it is not.
std::map<std::string, std::string> parts_within(const std::string& dir);

/// The pictures of a folder and all below it, in byte order. Throws Error where it is no folder or
/// cannot be listed.
std::vector<std::string> pictures_below(const std::string& dir);

/// The data set of a labelled folder. With `classes`, labels are indices into these, and a folder
/// may lack some of them. Throws Error as scan_folders does, and for classes without a picture or
/// not among `classes`, naming them.
Dataset list_folders(const std::string& dir,
                     const std::optional<std::vector<std::string>>& classes = std::nullopt);
/// The same of a table where `path` is a file.
Dataset list_dataset(const std::string& path,
                     const std::optional<std::vector<std::string>>& classes = std::nullopt);

struct Split {
  Dataset train, held_out;
};
/// Splits each class in the same proportion at random (equal seed, equal split), the samples of
/// either part staying in their order. A class of two or more pictures has at least one in either
/// part, a class of one is in the training part. Throws Error unless 0 < fraction <= 1; fraction 1
/// holds nothing out.
Split split(const Dataset& dataset, double fraction = 0.85, uint64_t seed = 0);

/// The order of an epoch: a permutation of 0 .. n-1 that depends on nothing else.
std::vector<int64_t> shuffle_order(int64_t n, uint64_t seed, int64_t epoch);

}  // namespace limbic::io
