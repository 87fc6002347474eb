#pragma once

/// Built with AddressSanitizer or ThreadSanitizer, which take address space, memory and time of
/// their own: what limits those is not tested.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
inline constexpr bool sanitized = true;
#else
inline constexpr bool sanitized = false;
#endif
