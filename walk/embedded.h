#pragma once
#include <span>

namespace limbic::walk {

/// A definition as it stands in the sources that this program was built of.
struct Source {
  const char* op;    ///< As walk/sources.txt names it: "conv2d", "winograd", "activation".
  const char* role;  ///< "twin", of reference/, or "fast".
  const char* file;  ///< From the repository's root.
  const char* name;
  int line;  ///< Of its first line, from 1.
  const char* text;
};
std::span<const Source> sources();

/// The page's own files (walk/page/) and, in base64, walk/wasm/twins.wasm.
struct Assets {
  const char *html, *css, *twins_js, *page_js, *twins_wasm;
};
Assets assets();

}  // namespace limbic::walk
