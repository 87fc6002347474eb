#pragma once
#include <string>
#include <vector>

#include "limbic/io/dataset.h"
#include "limbic/network/predictor.h"
#include "limbic/report/report.h"

namespace limbic::cli {

/// The pictures of which a model was surest and wrong, small; where none is wrong, those of which
/// it was least sure. probability[i] is that of predicted[i], for the sample indices[i].
report::Report::Gallery worst_pictures(const io::Dataset& data, const std::vector<int64_t>& indices,
                                       const std::vector<int64_t>& predicted,
                                       const std::vector<double>& probability);

/// A page about the user's own pictures: --report FILE.html.
class Page {
 public:
  /// Throws Error where a page cannot be written there. No path: nothing is done.
  Page(const std::string& path, const std::string& title);

  bool wanted() const { return !path_.empty(); }
  /// What stands above the accuracies, a paragraph each.
  void set_notes(std::vector<std::string> notes) { notes_.texts = std::move(notes); }
  /// What stands below them.
  void set_charts(std::vector<report::Report::LineChart> charts) { charts_ = std::move(charts); }
  /// What stands below that.
  void set_details(std::vector<report::Report::Section> details) { details_ = std::move(details); }
  /// An accuracy at the top.
  void add(report::Report::Accuracy accuracy) { headline_.rows.push_back(std::move(accuracy)); }
  /// The same, with its confusion matrix where there are few enough classes to see.
  void add(const std::string& name, const network::Evaluation& e,
           const std::vector<std::string>& classes);
  /// As worst_pictures.
  void add_worst(const io::Dataset& data, const std::vector<int64_t>& indices,
                 const std::vector<int64_t>& predicted, const std::vector<double>& probability);
  /// Writes it; a page of work that goes on reloads itself.
  void write(bool going_on = false);

 private:
  std::string path_, title_;
  report::Report::Paragraphs notes_;
  report::Report::Headline headline_;
  report::Report::Gallery worst_;
  std::vector<report::Report::Confusion> confusions_;
  std::vector<report::Report::LineChart> charts_;
  std::vector<report::Report::Section> details_;
};

/// Accuracy, confusion and worst pictures of a network's logits.
void add_network(Page& page, const io::Dataset& data, const network::Outputs& logits);

}  // namespace limbic::cli
