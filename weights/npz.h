#pragma once
#include <map>
#include <string>

#include "limbic/weights/checkpoint.h"

namespace limbic::weights {

/// Whether a file is NumPy's: an array (.npy), or a zip archive with one in it (.npz).
bool is_npz(const MappedFile& file);

/// The arrays of a .npz, STORED or deflated, or the one of a .npy under its file's name: F64, F32,
/// F16, integers and booleans, little-endian, in C order. Names become a network's: "conv1/weight",
/// "conv1_w", "conv1_weight" and "conv1_0" are "conv1.weight"; "conv1_b", "conv1_bias", and
/// "conv1_1" where "conv1_0" is there too, are "conv1.bias"; what older Caffe writes in four
/// dimensions, (1,1,out,in) and (1,1,1,out), loses the ones. Throws Error beginning with the path
/// where an array is in Fortran's order, of pickled objects, or differs from its length.
/// Source: numpy.lib.format, versions 1 to 3.
std::map<std::string, Tensor> parse_npz(const MappedFile& file, bool verify = true);

Checkpoint open_npz(const MappedFile& file, const ReadOptions& options);

}  // namespace limbic::weights
