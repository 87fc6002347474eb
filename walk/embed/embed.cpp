// Writes what the page of a walk is made of as C++ literals: the page's own files, the plain twins
// in WebAssembly, and the definitions that walk/sources.txt names, as they stand in the sources.
//
//   walk_embed SOURCE_FOLDER OUT
//
// Ends with status 1 and one line where a file or a definition is not there.
#include <cstdint>
#include <fstream>
#include <iostream>
#include <iterator>
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

namespace {

std::string read(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  if (!in) throw std::runtime_error(path + ": cannot be read");
  return {std::istreambuf_iterator<char>(in), {}};
}

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> out;
  std::istringstream in(text);
  for (std::string line; std::getline(in, line);) out.push_back(line);
  return out;
}

bool begins_with(const std::string& text, const std::string& with) {
  return text.rfind(with, 0) == 0;
}

// Whether a line at the margin begins a function, or a class, of this name.
bool names(const std::string& line, const std::string& name) {
  if (line.empty() || std::string(" #/}").find(line[0]) != std::string::npos) return false;
  for (const char* kind : {"class ", "struct "})
    if (begins_with(line, kind + name + " ")) return true;
  const size_t at = line.find(name + "(");
  return at != std::string::npos && at > 0 &&
         std::string(" *&").find(line[at - 1]) != std::string::npos;
}

struct Definition {
  size_t begin, end;  // lines [begin, end)
};

// Where the definition ends whose first line is `begin`; `begin` itself where that only declares.
size_t end_of(const std::vector<std::string>& lines, size_t begin) {
  bool opened = false;
  for (size_t i = begin; i < lines.size(); ++i) {
    const std::string& line = lines[i];
    opened = opened || line.find('{') != std::string::npos;
    if (!opened && !line.empty() && line.back() == ';') return begin;
    if (line == "}" || line == "};" || (i == begin && opened && line.back() == '}')) return i + 1;
  }
  return begin;
}

Definition find(const std::vector<std::string>& lines, const std::string& name) {
  for (size_t i = 0; i < lines.size(); ++i) {
    if (!names(lines[i], name)) continue;
    const size_t end = end_of(lines, i);
    if (end == i) continue;
    size_t begin = i;
    while (begin > 0 &&
           (begins_with(lines[begin - 1], "//") || begins_with(lines[begin - 1], "template") ||
            begins_with(lines[begin - 1], "requires")))
      --begin;
    return {begin, end};
  }
  throw std::runtime_error("no definition of " + name);
}

// As a literal; several, as compilers take no endless ones.
std::string literal(const std::string& text) {
  std::string out;
  for (size_t at = 0; at < text.size() || at == 0; at += 8192)
    out += "R\"walk(" + text.substr(at, 8192) + ")walk\"\n";
  return out;
}

std::string base64(const std::string& bytes) {
  const char* digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string out;
  for (size_t at = 0; at < bytes.size(); at += 3) {
    uint32_t three = 0;
    for (size_t i = 0; i < 3; ++i)
      three = three << 8 | (at + i < bytes.size() ? static_cast<uint8_t>(bytes[at + i]) : 0u);
    for (size_t i = 0; i < 4; ++i)
      out += at + i <= bytes.size() ? digits[three >> (18 - 6 * i) & 63] : '=';
  }
  return out;
}

std::string sources(const std::string& root) {
  std::string out = "constexpr Source quoted[] = {\n";
  for (const std::string& line : lines_of(read(root + "/walk/sources.txt"))) {
    if (line.empty() || line[0] == '#') continue;
    std::istringstream words(line);
    std::string op, role, file, name;
    if (!(words >> op >> role >> file >> name)) throw std::runtime_error("sources.txt: " + line);
    const std::vector<std::string> lines = lines_of(read(root + "/" + file));
    try {
      const auto [begin, end] = find(lines, name);
      std::string text;
      for (size_t i = begin; i < end; ++i) text += lines[i] + "\n";
      out += "{\"" + op + "\", \"" + role + "\", \"" + file + "\", \"" + name + "\", " +
             std::to_string(begin + 1) + ",\n" + literal(text) + "},\n";
    } catch (const std::runtime_error& e) {
      throw std::runtime_error("walk/sources.txt: " + file + ": " + e.what());
    }
  }
  return out + "};\n";
}

}  // namespace

int main(int argc, char** argv) try {
  if (argc != 3) throw std::runtime_error("expected SOURCE_FOLDER OUT");
  const std::string root = argv[1], page = root + "/walk/page/";
  std::string out = sources(root);
  for (const char* file : {"page.html", "page.css", "twins.js", "page.js"}) {
    std::string name = file;
    name[name.find('.')] = '_';
    out += "constexpr const char* " + name + " =\n" + literal(read(page + file)) + ";\n";
  }
  out += "constexpr const char* twins_wasm =\n" +
         literal(base64(read(root + "/walk/wasm/twins.wasm"))) + ";\n";
  std::ofstream file(argv[2], std::ios::binary);
  if (!(file << out) || !file.flush())
    throw std::runtime_error(std::string(argv[2]) + ": cannot be written");
  return 0;
} catch (const std::exception& e) {
  std::cerr << "walk_embed: " << e.what() << "\n";
  return 1;
}
