#pragma once
#include <sys/wait.h>
#include <unistd.h>

#include <cstring>
#include <functional>
#include <optional>
#include <string>

#include "limbic/core/error.h"

namespace limbic::generators {

/// f() in a process of its own: what it says is wrong, or how it died. The calling process must not
/// have run parallel code: OpenMP's threads do not survive a fork.
inline std::optional<std::string> isolated(const std::function<std::optional<std::string>()>& f,
                                           unsigned seconds = 60) {
  int ends[2];
  require(::pipe(ends) == 0, "pipe: ", std::strerror(errno));
  const pid_t child = ::fork();
  require(child >= 0, "fork: ", std::strerror(errno));
  if (child == 0) {
    ::alarm(seconds);
    const std::optional<std::string> wrong = f();
    if (wrong && ::write(ends[1], wrong->data(), wrong->size()) < 0) ::_exit(3);
    ::_exit(wrong ? 1 : 0);
  }
  ::close(ends[1]);
  std::string text;
  char buffer[1024];
  for (ssize_t n; (n = ::read(ends[0], buffer, sizeof buffer)) > 0;)
    text.append(buffer, static_cast<size_t>(n));
  ::close(ends[0]);
  int status = 0;
  ::waitpid(child, &status, 0);
  if (WIFSIGNALED(status)) return str_cat("died: ", ::strsignal(WTERMSIG(status)));
  if (WEXITSTATUS(status) == 0) return {};
  return text.empty() ? str_cat("exit status ", WEXITSTATUS(status)) : text;
}

}  // namespace limbic::generators
