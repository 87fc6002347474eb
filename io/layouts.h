#pragma once
#include <optional>
#include <string>
#include <vector>

#include "limbic/io/dataset.h"

namespace limbic::io {

/// How labelled pictures lie on a disk: one sub-folder a class, a table, or as the published sets
/// of emotions are handed out (docs/paper.md).
enum class Layout {
  folders,
  csv,
  fi,          ///< Image Emotion: a sub-folder an emotion, also within train/, val/ and test/.
  artphoto,    ///< testImages_artphoto/EMOTION_NNNN.jpg, all in one folder.
  abstract,    ///< testImages_abstract/ and ABSTRACT_groundTruth.csv with votes.
  emotionroi,  ///< images/EMOTION/N.jpg and training_testing_split/{training,testing}.txt.
};
const std::vector<std::string>& layout_names();
/// Throws Error, listing the names.
Layout layout_of(const std::string& name);
std::string to_string(Layout layout);

/// The eight emotions of Image Emotion, alphabetical.
const std::vector<std::string>& eight_emotions();
/// What the published sets call an emotion, as Image Emotion does: "Content" -> "contentment",
/// "sad" -> "sadness"; other words in lower case.
std::string unified_emotion(const std::string& name);

struct LayoutOptions {
  /// Abstract paintings of which no emotion has most votes: left out (228 pictures stay), or of the
  /// first that has as many as any (280).
  bool drop_ties = false;
  /// EmotionROI as the paper's Table 1 can be read: surprise is awe, joy is left out. Otherwise its
  /// own six classes.
  bool roi_as_paper = true;
};

/// A data set, in the parts that it comes in. All parts have the same classes, alphabetical.
struct PartedSet {
  Dataset train;  ///< Everything, where it has no parts.
  std::optional<Dataset> validation, test;
  std::vector<std::string> notes;  ///< What was decided about its labels, a sentence each.

  Dataset whole() const;  ///< All parts in one.
};

/// The layout that a path has beyond doubt, by names of files and folders alone: artphoto, abstract
/// or emotionroi; csv of a file; else folders, which fi is one of.
Layout find_layout(const std::string& path);

/// Reads a data set. What names no picture of a class is in left_out, with the reason. Throws Error
/// in one line: for another layout than this, a class without a picture, votes that are no numbers
/// (with file and line), split files or tables that name pictures which are not there, and as
/// scan_dataset does.
PartedSet read_set(const std::string& path, Layout layout, const LayoutOptions& options = {});

/// The same pictures labelled by `classes`, of which some may have none. Throws Error naming the
/// classes that are not among them; `path` begins the message.
Dataset with_classes(const Dataset& data, const std::vector<std::string>& classes,
                     const std::string& path);

}  // namespace limbic::io
