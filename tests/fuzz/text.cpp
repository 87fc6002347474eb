// Tables, lines of JSON, the tuner's memory.
#include <filesystem>

#include "limbic/cli/cells.h"
#include "limbic/io/layouts.h"
#include "limbic/nn/cpu/tuner.h"
#include "tests/fuzz/target.h"

namespace limbic::fuzz {
namespace {

void read_table(const Bytes& bytes) {
  const MemoryFile file(bytes);
  io::scan_csv(file.path());
}

// The table of votes of the abstract paintings, beside one that is there.
void read_votes(const Bytes& bytes) {
  static const MemoryFolder folder;
  folder.write("ABSTRACT_groundTruth.csv", bytes);
  folder.write("abstract_0001.jpg", bytes_of("x"));
  io::read_set(folder.path(), io::Layout::abstract);
}

// EmotionROI's list of pictures to test on.
void read_split(const Bytes& bytes) {
  static const MemoryFolder folder;
  for (const char* name : {"images", "images/awe", "training_testing_split"})
    std::filesystem::create_directories(folder / name);
  folder.write("images/awe/1.jpg", bytes_of("x"));
  folder.write("images/awe/2.jpg", bytes_of("x"));
  folder.write("training_testing_split/training.txt", bytes_of("awe/1.jpg\n"));
  folder.write("training_testing_split/testing.txt", bytes);
  io::read_set(folder.path(), io::Layout::emotionroi, {.roi_as_paper = false});
}

void read_cells(const Bytes& bytes) {
  const MemoryFile file(bytes);
  const cli::Cells cells(file.path(), "key", {"accuracy"});
  if (cells.has({{"C", 1.5}})) (void)cells.at({{"C", 1.5}});
}

// What a tuner of this machine writes into its first line.
const std::string& tuners_head() {
  static const std::string head = [] {
    const MemoryFolder folder;
    Tuner(folder / "x").choose("key", {{"a", [] {}}, {"b", [] {}}});
    const Bytes bytes = read_file(folder / "x");
    return text_of(bytes).substr(0, text_of(bytes).find('\n') + 1);
  }();
  return head;
}

void read_tuning(const Bytes& bytes) {
  for (const std::string& head : {tuners_head(), std::string()}) {
    const MemoryFile file(bytes_of(head + text_of(bytes)));
    Tuner tuner(file.path());
    (void)tuner.remembered("key", {{"a", [] {}}, {"b", [] {}}});
  }
}

}  // namespace

std::vector<Target> text_targets() {
  return {{"csv", read_table,
           [] {
             return std::vector<Bytes>{
                 bytes_of("path,label\na.png,joy\n\"b,\"\"c.png\",fear\r\n/d.png,joy\n"),
                 bytes_of("\xef\xbb\xbfLabel,width,Image\njoy,3,a.png\n"),
                 bytes_of("a.png,1\nb.png,2\n")};
           }},
          {"votes", read_votes,
           [] {
             return std::vector<Bytes>{
                 bytes_of("'','Amusement','Anger','Awe','Content','Disgust','Excitement','Fear',"
                          "'Sad'\n'abstract_0001.jpg',1,2,0,3,0,0,14,1\n")};
           }},
          {"split", read_split, [] { return std::vector<Bytes>{bytes_of("awe/2.jpg\n")}; }},
          {"cells", read_cells,
           [] {
             return std::vector<Bytes>{
                 bytes_of(R"({"key":"key","cell":{"C":1.5},"result":{"accuracy":0.9}})"
                          "\n"
                          R"({"key":"other","cell":{"C":1.5},"result":{"accuracy":0.5}})"
                          "\n{\"key\":\"key\",\"ce")};
           }},
          {"tuning", read_tuning, [] {
             return std::vector<Bytes>{bytes_of("1 threads; key\ta\n2 threads; key\tb\n"),
                                       bytes_of("key\n\t\nkey\tnobody\n")};
           }}};
}

}  // namespace limbic::fuzz
