// Takes the place of oneDNN's file of this name in the library of `make static`: the reorders that
// Limbic asks for, each by the code generator first and by the plain loop where that cannot. oneDNN's
// own lists have a kernel for each pair of layouts and types, 11 MB of them.
#include "cpu/reorder/cpu_reorder.hpp"

namespace dnnl::impl::cpu {
namespace {

#define BY_GENERATOR                                              \
  DNNL_X64_ONLY(CPU_REORDER_INSTANCE(x64::jit_blk_reorder_t))     \
  DNNL_X64_ONLY(CPU_REORDER_INSTANCE(x64::jit_uni_reorder_t))     \
  DNNL_AARCH64_ONLY(CPU_REORDER_INSTANCE(aarch64::jit_blk_reorder_t)) \
  DNNL_AARCH64_ONLY(CPU_REORDER_INSTANCE(aarch64::jit_uni_reorder_t))
#define OF(from, to)                                              \
  {                                                               \
    {from, to, 0}, {                                              \
      BY_GENERATOR REG_SR(from, any, to, any, fmt_order::any, spec::reference) nullptr \
    }                                                             \
  }
// Weights of signed sources carry sums that correct for the sign; the plain loop knows none.
#define WITH_SUMS(from) \
  {                     \
    {from, s8, 0}, { BY_GENERATOR nullptr } \
  }

const impl_list_map_t& plain() {
  static const impl_list_map_t map = {OF(f32, f32),  OF(f32, bf16), OF(bf16, f32), OF(bf16, bf16),
                                      OF(f32, s8),   OF(f32, u8),   OF(f32, s32),  OF(s8, f32),
                                      OF(u8, f32),   OF(s8, s8),    OF(u8, u8),    OF(s32, s32),
                                      OF(bf16, s8),  OF(s8, bf16)};
  return map;
}

const impl_list_map_t& with_sums() {
  static const impl_list_map_t map = {WITH_SUMS(f32), WITH_SUMS(s8)};
  return map;
}

}  // namespace

const impl_list_item_t* cpu_engine_impl_list_t::get_reorder_implementation_list(
    const memory_desc_t* from, const memory_desc_t* to) {
  const bool sums = to->extra.flags & (memory_extra_flags::compensation_conv_s8s8 |
                                       memory_extra_flags::compensation_conv_asymmetric_src);
  const impl_list_map_t& map = sums ? with_sums() : plain();
  static const impl_list_item_t none[] = {nullptr};
  const auto found = map.find({from->data_type, to->data_type, 0});
  return found == map.end() ? none : found->second.data();
}

}  // namespace dnnl::impl::cpu
