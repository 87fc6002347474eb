#include "limbic/walk/embedded.h"

namespace limbic::walk {
namespace {

#include "embedded.inc"  // by walk/embed/embed.cpp, while Limbic is built

}  // namespace

std::span<const Source> sources() { return quoted; }

Assets assets() { return {page_html, page_css, twins_js, page_js, twins_wasm}; }

}  // namespace limbic::walk
