#pragma once
#include "limbic/explain/emotion.h"
#include "limbic/io/picture.h"
#include "limbic/report/report.h"

namespace limbic::explain {

/// A network's maps of one picture, for a page.
struct Explained {
  std::string name;     ///< "squeezenet1_1", "diff1: resnet101".
  std::string through;  ///< What leads from its features to the classes, a sentence; or nothing.
  std::string layer;
  io::Picture picture;  ///< As the network sees it.
  double probability = 0;
  std::vector<std::pair<Method, Map>> maps;
  std::vector<Faithfulness> faithfulness;  ///< Of each map.
  Faithfulness random;
  Tensor features;                                      ///< (1,C,H,W), or empty.
  std::vector<std::pair<std::string, Tensor>> filters;  ///< (O,I,kh,kw) by name.
};

/// The nearest support vectors, with their pictures where the model has kept them. Throws Error for
/// a thumbnail that is no small picture.
void add_neighbours(report::Report& page, const emotion::EmotionModel& model, const Decision& d);

/// Sections about it: the maps over the picture, their scores and curves, feature maps, filters.
void add_sections(report::Report& page, const Explained& e, const std::string& class_name);

}  // namespace limbic::explain
