#include "limbic/core/parameters.h"

#include <cstring>

namespace limbic {

bool lies_within(const std::string& name, const std::string& path) {
  if (path.empty() || name == path) return true;
  return name.starts_with(path) && (path.back() == '.' || name[path.size()] == '.');
}

bool lies_within_any(const std::string& name, const std::vector<std::string>& paths) {
  return std::any_of(paths.begin(), paths.end(),
                     [&](const std::string& path) { return lies_within(name, path); });
}

void Parameters::add(const std::string& name, Tensor value, bool trainable) {
  require(map_.emplace(name, Parameter{std::move(value), trainable}).second, "parameter '", name,
          "' is there already");
}

const Parameter& Parameters::at(const std::string& name) const {
  const auto found = map_.find(name);
  require(found != map_.end(), "there is no parameter '", name, "'");
  return found->second;
}

Parameter& Parameters::fitting(const std::string& name, const Tensor& value) {
  at(name);
  Parameter& own = map_.at(name);
  require(own.value.shape() == value.shape() && own.value.dtype() == value.dtype(), name,
          ": expected ", to_string(own.value.dtype()), " ", to_string(own.value.shape()), ", got ",
          to_string(value.dtype()), " ", to_string(value.shape()));
  return own;
}

void Parameters::set(const std::string& name, const Tensor& value) {
  Parameter& own = fitting(name, value);
  if (own.shared)
    own.value = value.clone();
  else
    std::memcpy(own.value.raw(), value.raw(), static_cast<size_t>(value.bytes()));
  own.shared = false;
}

void Parameters::adopt(const std::string& name, const Tensor& value) {
  Parameter& own = fitting(name, value);
  own.value = value;
  own.shared = true;
}

void Parameters::keep(const MappedFile& file) {
  std::erase_if(files_, [](const ViewedFile& old) { return old.owner.expired(); });
  files_.push_back({file.owner, file.bytes, file.path});
}

void Parameters::require_intact() const {
  for (const ViewedFile& file : files_)
    if (const auto owner = file.owner.lock())
      MappedFile{owner, file.bytes, file.path}.require_intact();
}

Parameters Parameters::clone() const {
  Parameters copy = *this;
  for (auto& [name, parameter] : copy.map_) {
    parameter.value = parameter.value.clone();
    parameter.shared = false;
  }
  copy.files_.clear();
  require_intact();
  return copy;
}

int64_t Parameters::trainable_elements() const {
  int64_t total = 0;
  for (const auto& [name, parameter] : map_)
    if (parameter.trainable) total += parameter.value.size();
  return total;
}

}  // namespace limbic
