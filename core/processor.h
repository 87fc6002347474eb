#pragma once
#include <string>

namespace limbic {

/// "AMD EPYC 9R45", as the operating system names it.
std::string processor_name();
/// Multiplies pairs of bf16 natively (AVX512_BF16); without it bf16 would be slower than f32.
bool has_bf16_instructions();
/// Multiplies quadruples of 8-bit integers natively (AVX512_VNNI).
bool has_int8_instructions();

}  // namespace limbic
