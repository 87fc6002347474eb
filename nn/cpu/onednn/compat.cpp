#include "limbic/nn/cpu/onednn/compat.h"

#include <array>
#include <atomic>
#include <chrono>
#include <mutex>
#include <shared_mutex>

#include "limbic/core/address_space.h"
#include "limbic/core/error.h"

namespace limbic::onednn {
namespace {

using dnnl::memory;
constexpr auto f32 = memory::data_type::f32;
// oneDNN's ReLU is a maximum with 0, in which NaN becomes 0; with a slope below 0 it multiplies,
// and NaN stays. A slope of 2^-80 is lost in the rounding of every sum that has anything else in
// it. Where a caller could see a sum that has not, the kernel drops it (KernelBuilder::seen).
constexpr float relu_leak = 0x1p-80f;
std::atomic<int64_t> created{0}, reorder_nanoseconds{0};
// Held by whoever makes a primitive, and alone by who empties the cache of them
// (forget_primitives).
std::shared_mutex cache_in_use;

// Creates a primitive_desc from the arguments of its operation, as 3.x does.
template <class Primitive, class... Args>
auto describe(const dnnl::primitive_attr& attr, const Args&... args) {
#if DNNL_VERSION_MAJOR >= 3
  return typename Primitive::primitive_desc(engine(), args..., attr);
#else
  return typename Primitive::primitive_desc(typename Primitive::desc(args...), attr, engine());
#endif
}

template <class Primitive, class Forward, class... Args>
auto describe_backward(const dnnl::primitive_attr& attr, const Forward& forward,
                       const Args&... args) {
#if DNNL_VERSION_MAJOR >= 3
  return typename Primitive::primitive_desc(engine(), args..., forward, attr);
#else
  return typename Primitive::primitive_desc(typename Primitive::desc(args...), attr, engine(),
                                            forward);
#endif
}

dnnl::primitive_attr user_scratchpad() {
  dnnl::primitive_attr attr;
  attr.set_scratchpad_mode(dnnl::scratchpad_mode::user);
  return attr;
}

memory::data_type type(DType dtype) {
  switch (dtype) {
    case DType::f32:
      return f32;
    case DType::bf16:
      return memory::data_type::bf16;
    case DType::i8:
      return memory::data_type::s8;
    case DType::u8:
      return memory::data_type::u8;
    default:
      fail("oneDNN has no data type for ", to_string(dtype));
  }
}

bool is_zero(const Desc& desc) { return desc.get_size() == 0; }

Dims dims_of(const Desc& desc) {
#if DNNL_VERSION_MAJOR >= 3
  return desc.get_dims();
#else
  return desc.dims();
#endif
}

// With fewer channels than a vector holds, the 1x1 kernels that gather a strided src for the
// weights' gradient write beyond their scratch
// (https://github.com/uxlfoundation/oneDNN/issues/6035).
bool overruns_scratch(const ConvolutionShape& s) {
  const Dims weights = dims_of(s.diff_weights);
  return weights.size() == 4 && weights[1] < 16 && weights[2] * weights[3] == 1 &&
         (s.strides[0] > 1 || s.strides[1] > 1);
}

#ifdef __x86_64__
constexpr bool x86 = true;
#else
constexpr bool x86 = false;  // oneDNN gives the same numbers to other sets
#endif

// An instruction set is the bits of those that it is made of.
bool has_all_of(dnnl::cpu_isa wanted) {
  const auto bits = [](dnnl::cpu_isa isa) { return static_cast<unsigned>(isa); };
  return x86 && (bits(dnnl::get_effective_cpu_isa()) & bits(wanted)) == bits(wanted);
}

}  // namespace

const dnnl::engine& engine() {
  static const dnnl::engine cpu(dnnl::engine::kind::cpu, 0);
  return cpu;
}

dnnl::stream& stream() {
  thread_local dnnl::stream own(engine());
  return own;
}

std::string version() {
  const dnnl_version_t* v = dnnl_version();
  return str_cat(v->major, '.', v->minor, '.', v->patch);
}

std::string kernels() {
  using dnnl::cpu_isa;
  const std::pair<cpu_isa, const char*> names[] = {{cpu_isa::sse41, "sse41"},
                                                   {cpu_isa::avx, "avx"},
                                                   {cpu_isa::avx2, "avx2"},
                                                   {cpu_isa::avx2_vnni, "avx2_vnni"},
                                                   {cpu_isa::avx512_core, "avx512_core"},
                                                   {cpu_isa::avx512_core_vnni, "avx512_core_vnni"},
                                                   {cpu_isa::avx512_core_bf16, "avx512_core_bf16"},
                                                   {cpu_isa::avx512_core_amx, "avx512_core_amx"}};
  const char* newest = nullptr;
  for (const auto& [known, name] : names)
    if (has_all_of(known)) newest = name;
  return newest ? newest
                : str_cat("instruction set ", static_cast<int>(dnnl::get_effective_cpu_isa()));
}

bool has_bf16_instructions() { return has_all_of(dnnl::cpu_isa::avx512_core_bf16); }
bool has_int8_instructions() { return has_all_of(dnnl::cpu_isa::avx512_core_vnni); }

Desc channels_last(const Shape& shape, DType dtype) {
  return {Dims(shape.begin(), shape.end()), type(dtype),
          shape.size() == 4 ? memory::format_tag::nhwc : memory::format_tag::nc};
}

Desc canonical(const Shape& shape, DType dtype) {
  using tag = memory::format_tag;
  constexpr std::array tags = {tag::a, tag::ab, tag::abc, tag::abcd, tag::abcde};
  require(!shape.empty() && shape.size() <= tags.size(), "parameter of shape ", to_string(shape));
  return {Dims(shape.begin(), shape.end()), type(dtype), tags[shape.size() - 1]};
}

Desc canonical_like(const Desc& desc) {
  const Dims dims = dims_of(desc);
  return canonical(Shape(dims.begin(), dims.end()));
}

Desc any_layout(const Shape& shape, DType dtype) {
  return {Dims(shape.begin(), shape.end()), type(dtype), memory::format_tag::any};
}

Desc hwio(const Shape& shape) {
  return {Dims(shape.begin(), shape.end()), f32, memory::format_tag::hwio};
}

Desc flat(int64_t count) { return {{count}, f32, memory::format_tag::a}; }

bool is_signed_8_bit(const Desc& desc) {
#if DNNL_VERSION_MAJOR >= 3
  return desc.get_data_type() == memory::data_type::s8;
#else
  return desc.data_type() == memory::data_type::s8;
#endif
}

Desc bytes(int64_t size) { return {{size}, memory::data_type::u8, memory::format_tag::a}; }

void forget_primitives() {
  const std::unique_lock alone(cache_in_use);
  int capacity = 0;
  if (dnnl_get_primitive_cache_capacity(&capacity) != dnnl_success) return;
  dnnl_set_primitive_cache_capacity(0);
  dnnl_set_primitive_cache_capacity(capacity);
}

int64_t primitives_created() { return created; }

dnnl::convolution_forward::primitive_desc convolution_forward(const ConvolutionShape& s,
                                                              bool training, PostOps post_ops) {
  using dnnl::prop_kind;
  const auto kind = training ? prop_kind::forward_training : prop_kind::forward_inference;
  constexpr auto direct = dnnl::algorithm::convolution_direct;
  dnnl::primitive_attr attr = user_scratchpad();
  dnnl::post_ops ops;
  if (post_ops.multiply_channels > 0)
    ops.append_binary(dnnl::algorithm::binary_mul,
                      canonical({1, post_ops.multiply_channels, 1, 1}));
  if (post_ops.sum) {
    const auto dtype =
        post_ops.sum_dtype == DType::f32 ? memory::data_type::undef : type(post_ops.sum_dtype);
#if DNNL_VERSION_MAJOR >= 3
    ops.append_sum(post_ops.sum_scale, 0, dtype);
#else
    ops.append_sum(post_ops.sum_scale, dtype);
#endif
  }
  if (post_ops.relu) {
#if DNNL_VERSION_MAJOR >= 3
    ops.append_eltwise(dnnl::algorithm::eltwise_relu, relu_leak, 0.0f);
#else
    ops.append_eltwise(1.0f, dnnl::algorithm::eltwise_relu, relu_leak, 0.0f);
#endif
  }
  attr.set_post_ops(ops);
  using P = dnnl::convolution_forward;
  auto desc = is_zero(s.bias) ? describe<P>(attr, kind, direct, s.src, s.weights, s.dst, s.strides,
                                            s.dilates, s.padding_begin, s.padding_end)
                              : describe<P>(attr, kind, direct, s.src, s.weights, s.bias, s.dst,
                                            s.strides, s.dilates, s.padding_begin, s.padding_end);
  // The depthwise kernel for SSE4.1 sums from memory that must lie at a multiple of 16 bytes, and
  // pixels of some other number of channels do not (a crash in 2.6.3).
  const bool unaligned = post_ops.sum && dims_of(s.dst)[1] % 4 != 0;
  while (unaligned && desc.impl_info_str() == std::string("jit_dw:sse41"))
    require(desc.next_impl(), "this oneDNN cannot add to this depthwise convolution");
  return desc;
}

dnnl::convolution_backward_data::primitive_desc convolution_backward_data(
    const ConvolutionShape& s, const dnnl::convolution_forward::primitive_desc& forward) {
  return describe_backward<dnnl::convolution_backward_data>(
      user_scratchpad(), forward, dnnl::algorithm::convolution_direct, s.src, s.weights, s.dst,
      s.strides, s.dilates, s.padding_begin, s.padding_end);
}

dnnl::convolution_backward_weights::primitive_desc convolution_backward_weights(
    const ConvolutionShape& s, const dnnl::convolution_forward::primitive_desc& forward) {
  using P = dnnl::convolution_backward_weights;
  constexpr auto direct = dnnl::algorithm::convolution_direct;
  const bool overruns = overruns_scratch(s);
  // A layout that those kernels do not have.
  const Dims dims = dims_of(s.diff_weights);
  const Desc weights = overruns ? hwio({dims.begin(), dims.end()}) : s.diff_weights;
  auto desc =
      is_zero(s.bias)
          ? describe_backward<P>(user_scratchpad(), forward, direct, s.src, weights, s.dst,
                                 s.strides, s.dilates, s.padding_begin, s.padding_end)
          : describe_backward<P>(user_scratchpad(), forward, direct, s.src, weights, s.bias, s.dst,
                                 s.strides, s.dilates, s.padding_begin, s.padding_end);
  require(
      !overruns || std::string(desc.impl_info_str()).find("jit_1x1") == std::string::npos,
      "this oneDNN computes wrong gradients of a strided 1x1 kernel with fewer than 16 channels");
  return desc;
}

dnnl::inner_product_forward::primitive_desc linear_forward(const LinearShape& s, bool training) {
  using P = dnnl::inner_product_forward;
  const auto kind =
      training ? dnnl::prop_kind::forward_training : dnnl::prop_kind::forward_inference;
  return is_zero(s.bias) ? describe<P>(user_scratchpad(), kind, s.src, s.weights, s.dst)
                         : describe<P>(user_scratchpad(), kind, s.src, s.weights, s.bias, s.dst);
}

dnnl::inner_product_backward_data::primitive_desc linear_backward_data(
    const LinearShape& s, const dnnl::inner_product_forward::primitive_desc& forward) {
  return describe_backward<dnnl::inner_product_backward_data>(user_scratchpad(), forward, s.src,
                                                              s.weights, s.dst);
}

dnnl::inner_product_backward_weights::primitive_desc linear_backward_weights(
    const LinearShape& s, const dnnl::inner_product_forward::primitive_desc& forward) {
  using P = dnnl::inner_product_backward_weights;
  return is_zero(s.bias)
             ? describe_backward<P>(user_scratchpad(), forward, s.src, s.weights, s.dst)
             : describe_backward<P>(user_scratchpad(), forward, s.src, s.weights, s.bias, s.dst);
}

namespace {

// oneDNN writes code for a primitive, and does not look whether there was memory for it. Asking
// takes that memory for a moment, in which no other thread's code must want it.
std::unique_lock<std::mutex> room_for_code() {
  static std::mutex one_at_a_time;
  std::unique_lock lock(one_at_a_time, std::defer_lock);
  if (!address_space_is_limited()) return lock;
  lock.lock();
  require_address_space(int64_t{32} << 20, "oneDNN");
  return lock;
}

}  // namespace

dnnl::primitive make(const dnnl::primitive_desc_base& desc) {
  const auto room = room_for_code();
  const std::shared_lock making(cache_in_use);
  ++created;
  return dnnl::primitive(desc.get());
}

dnnl::primitive make_reorder(const Desc& from, const Desc& to) {
  return make(dnnl::reorder::primitive_desc(engine(), from, engine(), to));
}

void execute(const dnnl::primitive& primitive, std::initializer_list<Argument> arguments) {
  std::array<dnnl_exec_arg_t, 8> args;
  size_t n = 0;
  for (const auto& [name, memory] : arguments)
    if (memory) args.at(n++) = {name, memory->get()};
  const auto status =
      dnnl_primitive_execute(primitive.get(), stream().get(), static_cast<int>(n), args.data());
  require(status == dnnl_success, "oneDNN failed with status ", static_cast<int>(status));
}

void execute_reorder(const dnnl::primitive& reorder, const dnnl::memory& from,
                     const dnnl::memory& to) {
  using clock = std::chrono::steady_clock;
  const auto start = clock::now();
  execute(reorder, {{DNNL_ARG_FROM, &from}, {DNNL_ARG_TO, &to}});
  const auto spent = std::chrono::duration_cast<std::chrono::nanoseconds>(clock::now() - start);
  reorder_nanoseconds += spent.count();
}

double reorder_seconds() { return static_cast<double>(reorder_nanoseconds) * 1e-9; }

void reorder_once(const Desc& from, const void* src, const Desc& to, void* dst) {
  const dnnl::memory a(from, engine(), const_cast<void*>(src)), b(to, engine(), dst);
  std::shared_lock making(cache_in_use);
  const dnnl::reorder::primitive_desc desc(engine(), from, engine(), to, user_scratchpad());
  // The sums that a signed convolution's weights take along are added up in the scratchpad, which
  // oneDNN 2.6 does not clear: its own is whatever the heap holds.
  const Desc scratch_desc = desc.scratchpad_desc();
  const Tensor zeros({static_cast<int64_t>(scratch_desc.get_size())}, DType::u8);
  const dnnl::memory scratch(scratch_desc, engine(), zeros.raw());
  const dnnl::reorder reorder = [&] {
    const auto room = room_for_code();
    return dnnl::reorder(desc);
  }();
  making.unlock();
  reorder.execute(stream(), {{DNNL_ARG_FROM, a}, {DNNL_ARG_TO, b}, {DNNL_ARG_SCRATCHPAD, scratch}});
  stream().wait();
}

}  // namespace limbic::onednn
