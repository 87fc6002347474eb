#include "limbic/capi/handles.h"

#include <cstdio>
#include <mutex>
#include <new>
#include <nlohmann/json.hpp>
#include <unordered_map>

#include "limbic/core/json_numbers.h"
#include "limbic/core/parallel.h"
#include "limbic/core/version.h"
#ifdef LIMBIC_KERAS
#include "limbic/weights/keras/keras.h"
#endif

namespace limbic::capi {
namespace {

struct Handles {
  std::mutex mutex;
  std::unordered_map<uintptr_t, std::shared_ptr<Object>> objects;
  uintptr_t next = 1;
};

// Never destroyed: a thread may still call while the program ends.
Handles& handles() {
  static Handles* const all = new Handles;
  return *all;
}

// Of fixed size: that there is no memory must be sayable, too.
thread_local char last_error[1024];

limbic_status failed_as(limbic_status status, const char* message) {
  std::snprintf(last_error, sizeof last_error, "%s", message);
  return status;
}

// Before any checkpoint is read.
void add_formats() {
#ifdef LIMBIC_KERAS
  static const bool once = [] {
    weights::formats().push_back(weights::keras_format);
    return true;
  }();
  (void)once;
#endif
}

}  // namespace

void* give(std::shared_ptr<Object> object) {
  Handles& all = handles();
  const std::lock_guard lock(all.mutex);
  // Odd, so that it is nobody's address.
  const uintptr_t id = all.next;
  all.objects.emplace(id, std::move(object));
  all.next += 2;
  return reinterpret_cast<void*>(id);
}

std::shared_ptr<Object> look_up(const void* handle) {
  Handles& all = handles();
  const std::lock_guard lock(all.mutex);
  const auto found = all.objects.find(reinterpret_cast<uintptr_t>(handle));
  return found == all.objects.end() ? nullptr : found->second;
}

void take_back(const void* handle) {
  Handles& all = handles();
  std::shared_ptr<Object> object;  // goes when the lock has gone
  const std::lock_guard lock(all.mutex);
  if (const auto found = all.objects.find(reinterpret_cast<uintptr_t>(handle));
      found != all.objects.end()) {
    object = std::move(found->second);
    all.objects.erase(found);
  }
}

limbic_status run_guarded(void (*body)(void*), void* context) noexcept {
  try {
    add_formats();
    body(context);
    return LIMBIC_OK;
  } catch (const Refusal& r) {
    return failed_as(r.status, r.message.c_str());
  } catch (const std::bad_alloc&) {
    return failed_as(LIMBIC_OUT_OF_MEMORY, "out of memory");
  } catch (const nlohmann::json::exception& e) {
    return failed_as(LIMBIC_FAILED, reason_of(e).c_str());
  } catch (const std::exception& e) {
    return failed_as(LIMBIC_FAILED, e.what());
  } catch (...) {
    return failed_as(LIMBIC_FAILED, "failed for a reason that nobody knows");
  }
}

}  // namespace limbic::capi

using namespace limbic::capi;

const char* limbic_last_error() { return last_error; }

const char* limbic_version() {
  static const std::string text = limbic::version();
  return text.c_str();
}

limbic_status limbic_set_threads(int threads) {
  return guarded([&] {
    check(threads >= 0 && threads <= 4096, "threads: expected 0 to 4096, got ", threads);
    limbic::set_threads(threads);
  });
}
