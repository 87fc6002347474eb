#pragma once

namespace limbic {

/// The threads of a program that is linked with limbic::threads: behind parallel_for, and behind
/// the loops of oneDNN (openmp.cpp).
namespace pool {

/// body(context) once for each member of a team of `size`, the caller among them, at the same time.
/// A thread that calls has a crew of its own, which is kept: threads are made when a team is larger
/// than all before. Within a team: on this thread alone. `body` must not throw.
void run(int size, void (*body)(void* context), void* context);
/// Waits until all members of this thread's team are here.
void barrier();

int member();     ///< Of this thread in its team; 0 outside.
int team_size();  ///< 1 outside.
bool in_team();

}  // namespace pool
}  // namespace limbic
