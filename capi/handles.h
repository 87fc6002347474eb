#pragma once
// capi: the C interface, limbic_c.h. Handles are looked up and never followed; every function is
// wrapped by `guarded`, so that nothing thrown leaves it.
#include <cstddef>
#include <memory>
#include <string>

#include "limbic/capi/limbic_c.h"
#include "limbic/core/error.h"

namespace limbic::capi {

/// What a handle stands for.
class Object {
 public:
  virtual ~Object() = default;
};

/// A failure that has a status of its own.
struct Refusal {
  limbic_status status;
  std::string message;
};
template <class... Args>
[[noreturn]] void refuse(limbic_status status, const Args&... args) {
  throw Refusal{status, str_cat(args...)};
}
/// LIMBIC_INVALID unless `ok`.
template <class... Args>
void check(bool ok, const Args&... args) {
  if (!ok) refuse(LIMBIC_INVALID, args...);
}

/// A handle that has not been given before.
void* give(std::shared_ptr<Object> object);
/// Null where there is none.
std::shared_ptr<Object> look_up(const void* handle);
/// Forgets it; whoever holds the object keeps it.
void take_back(const void* handle);

/// The object, which stays for as long as the caller holds it. Throws Refusal LIMBIC_BAD_HANDLE.
template <class T>
std::shared_ptr<T> find(const void* handle) {
  auto object = std::dynamic_pointer_cast<T>(look_up(handle));
  if (!object)
    refuse(LIMBIC_BAD_HANDLE, T::name, ": ",
           handle ? "not a handle of this kind, or freed already" : "the handle is null");
  return object;
}
template <class T>
void release(const void* handle) {
  find<T>(handle);
  take_back(handle);
}

/// Runs `body`, and turns what it throws into a status and limbic_last_error.
limbic_status run_guarded(void (*body)(void*), void* context) noexcept;
template <class Body>
limbic_status guarded(Body&& body) noexcept {
  return run_guarded([](void* context) { (*static_cast<Body*>(context))(); },
                     const_cast<void*>(static_cast<const void*>(&body)));
}

/// A copy of the caller's struct, whose `size` must be what this library knows, or an older one's.
/// Throws Refusal.
template <class T>
T taken(const T* from, size_t least, const char* name) {
  T out{};
  if (!from) return out;
  check(from->size >= least && from->size <= sizeof(T), name, ".size: expected ", sizeof(T),
        " (sizeof), got ", from->size);
  __builtin_memcpy(&out, from, from->size);
  return out;
}

/// The caller's array, of `count` elements, must hold `needed`. Throws Refusal.
inline void check_room(const void* array, size_t count, size_t needed, const char* name) {
  check(array != nullptr || needed == 0, name, ": is null");
  if (count < needed)
    refuse(LIMBIC_TOO_SMALL, name, ": needs room for ", needed, " values, got ", count);
}

}  // namespace limbic::capi
