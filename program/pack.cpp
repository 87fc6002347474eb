#include "limbic/program/pack.h"

#include <elf.h>
#include <sys/auxv.h>

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <memory>
#include <sstream>

#include "limbic/cli/pictures.h"
#include "limbic/cli/program.h"
#include "limbic/core/file.h"
#include "limbic/session/session.h"

namespace limbic::program {
namespace {

// Where the model lies in this very file; `pack` writes it into a copy, behind the words by which
// it finds the place. Nothing else may hold those words.
struct Place {
  char words[32];
  uint64_t begin, bytes;
};
volatile Place place = {"Limbic: here begins the model.", 0, 0};

constexpr uint64_t page_bytes = 4096;

std::string own_file() {
  std::error_code none;
  const auto link = std::filesystem::read_symlink("/proc/self/exe", none);
  if (!none && std::filesystem::exists(link, none)) return link.string();
  const char* name = reinterpret_cast<const char*>(::getauxval(AT_EXECFN));
  require(name != nullptr, "this program does not find its own file (/proc is not mounted)");
  return name;
}

Place place_now() {
  Place out;
  for (size_t i = 0; i < sizeof out.words; ++i) out.words[i] = place.words[i];
  out.begin = place.begin, out.bytes = place.bytes;
  return out;
}

// The place, in a copy of the program.
uint8_t* find_place(std::span<uint8_t> program) {
  const Place wanted = place_now();
  const auto found =
      std::search(program.begin(), program.end(), std::begin(wanted.words), std::end(wanted.words));
  require(found != program.end(), "pack: this program has no place for a model");
  return &*found;
}

bool needs_shared_libraries(std::span<const uint8_t> program) {
  const auto& header = *reinterpret_cast<const Elf64_Ehdr*>(program.data());
  for (uint64_t i = 0; i < header.e_phnum; ++i) {
    Elf64_Phdr segment;
    std::memcpy(&segment, program.data() + header.e_phoff + i * sizeof segment, sizeof segment);
    if (segment.p_type == PT_INTERP) return true;
  }
  return false;
}

void pack(const cli::Common& common, const std::string& model, const std::string& out) {
  std::ostringstream archive;
  emotion::archive_model(model, archive);
  const std::string bytes = std::move(archive).str();
  std::vector<uint8_t> program = read_file(own_file());
  const bool shared = needs_shared_libraries(program);
  Place filled = place_now();
  filled.begin = (program.size() + page_bytes - 1) / page_bytes * page_bytes;
  filled.bytes = bytes.size();
  std::memcpy(find_place(program), &filled, sizeof filled);
  program.resize(filled.begin);
  write_atomically(out, [&](std::ostream& file) {
    file.write(reinterpret_cast<const char*>(program.data()), std::ssize(program));
    file << bytes;
  });
  using std::filesystem::perms;
  std::filesystem::permissions(out, perms::owner_exec | perms::group_exec | perms::others_exec,
                               std::filesystem::perm_options::add);
  cli::note(common, str_cat(out, ": ", (filled.begin + filled.bytes) / 1000000, " MB"));
  if (const auto n = emotion::load_model(model).thumbnails.size(); n > 0)
    cli::note(common, str_cat(out, ": holds the small pictures of ", n, " training photos, too"));
  if (shared)
    cli::note(common, out +
                          ": runs where this program's shared libraries are; the static program "
                          "(`make static`) packs what runs anywhere");
}

struct PackArguments {
  std::string model, out;
};

int run_pack(const cli::Common& common, PackArguments& a) {
  pack(common, a.model, a.out);
  return cli::done;
}

MappedFile own_model() {
  const Place here = place_now();
  const MappedFile file = map_file(own_file());
  require(file.bytes.size() == here.begin + here.bytes, file.path,
          ": is cut short: ", file.bytes.size(), " bytes of ", here.begin + here.bytes,
          "; copy it again");
  return {file.owner, file.bytes.subspan(here.begin, here.bytes), file.path};
}

struct PhotoArguments {
  cli::Pictures pictures;
  int64_t batch_size = 16;
};

int run_photos(const cli::Common& common, PhotoArguments& a) {
  return cli::answer_emotions(common, a.pictures, emotion::load_model(own_model()), a.batch_size);
}

void add_photos(const cli::Verb& app, const cli::Common& common, cli::Action& action) {
  auto a = std::make_shared<PhotoArguments>();
  const cli::Verb verb =
      cli::add_verb(app, action, "predict", "The emotion that each photo evokes.",
                    "PROGRAM photo.jpg", a, run_photos, common);
  a->pictures.add_to(verb);
  verb.add_option("--batch-size", a->batch_size, "pictures computed at once")
      .check(cli::range(1, 4096));
}

}  // namespace

void add_pack(const cli::Verb& app, const cli::Common& common, cli::Action& action) {
  auto a = std::make_shared<PackArguments>();
  const cli::Verb verb =
      cli::add_verb(app, action, "pack", "This program and a model in one file.",
                    "limbic pack model emotions && ./emotions photo.jpg", a, run_pack, common);
  verb.add_option("model_dir", a->model, "model folder made by fit").required();
  verb.add_option("out", a->out, "the program to write").required();
}

bool is_packed() { return place.begin != 0; }

int run_packed(int argc, char** argv) {
  std::vector<char*> arguments(argv, argv + argc);
  static char verb[] = "predict", help[] = "--help";
  const std::string first = argc > 1 ? argv[1] : "";
  if (first != "--version") arguments.insert(arguments.begin() + 1, verb);
  if (argc == 1) arguments.push_back(help);
  return cli::run_program(static_cast<int>(arguments.size()), arguments.data(), {add_photos},
                          "Limbic with a model of its own: name photos, and it says which emotion "
                          "they evoke.");
}

}  // namespace limbic::program
